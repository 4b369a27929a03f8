"""Which tenants' Graph refuses sessions and participants in one expand: Graph documents neither. Pure: no clock."""

__all__ = ["Expands"]

_TRY_AGAIN = 3600.0
"""Seconds after which the double form is tried once more: one odd 400 must not cost two requests a record for ever."""


class Expands:
    """Remembers refusals; times are monotonic seconds."""

    def __init__(self) -> None:
        self._separate_until: dict[str, float] = {}

    def separate(self, tenant_id: str, now: float) -> bool:
        """Whether to ask for the two one by one; who hears False after an hour is the only one to try."""
        until = self._separate_until.get(tenant_id)
        if until is None:
            return False
        if now < until:
            return True
        self.refused(tenant_id, now)
        return False

    def refused(self, tenant_id: str, now: float) -> None:
        """Both at once were a 400, and sessions alone were not."""
        self._separate_until[tenant_id] = now + _TRY_AGAIN

    def accepted(self, tenant_id: str) -> None:
        """Both at once were served."""
        self._separate_until.pop(tenant_id, None)
