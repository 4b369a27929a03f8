"""How many records of one tenant may be in hand: what is served within the time a record may stay there. Pure."""

from collections.abc import Callable

__all__ = ["TenantShares"]


class TenantShares:
    """Begins at what the tenant's quota serves; halved when that was too much, and one more with each record served.

    A tenant whose answers are slow is served less than its quota: what it cannot be served in time would be put aside
    again and again.

    Args:
        least: no share is smaller.
        most: no share is larger.
        quota: how many records of a tenant its quota serves in time.
    """

    def __init__(self, least: int, most: int, quota: Callable[[str], int]) -> None:
        self._least, self._most, self._quota = least, most, quota
        self._reduced: dict[str, int] = {}

    def of(self, tenant: str) -> int:
        """Records of this tenant that may be in hand now."""
        return min(self._reduced.get(tenant, self._most), self._largest(tenant))

    def overdue(self, tenant: str) -> None:
        """Some of the tenant's records waited in vain for as long as they may."""
        self._reduced[tenant] = max(self._least, self.of(tenant) // 2)

    def served(self, tenant: str) -> None:
        """A record of the tenant was finished in time."""
        share = self._reduced.get(tenant)
        if share is None:
            return
        if share + 1 >= self._largest(tenant):
            del self._reduced[tenant]
        else:
            self._reduced[tenant] = share + 1

    def _largest(self, tenant: str) -> int:
        return max(self._least, min(self._most, self._quota(tenant)))
