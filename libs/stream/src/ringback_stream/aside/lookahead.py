"""Which tenants have records in a partition behind the one that is to be taken next. Pure."""

__all__ = ["Lookahead"]


class Lookahead:
    """What was seen of one partition while its next record had to wait.

    Attributes:
        seen: the offset up to which it was looked at.
    """

    def __init__(self, start: int) -> None:
        self.seen = start
        self._last: dict[str, int] = {}

    def __len__(self) -> int:
        """Tenants that are known to have records there."""
        return len(self._last)

    def note(self, offset: int, tenant: str) -> None:
        """A record of this tenant is at this offset."""
        self.seen = max(self.seen, offset + 1)
        self._last[tenant] = max(offset, self._last.get(tenant, -1))

    def expect(self, tenant: str) -> None:
        """A record of this tenant is being written to the end of the partition, wherever that is."""
        self._last[tenant] = max(self.seen, self._last.get(tenant, -1))

    def passed(self, next_offset: int) -> None:
        """Everything before this offset was taken."""
        for gone in [tenant for tenant, last in self._last.items() if last < next_offset]:
            del self._last[gone]

    def others(self, tenant: str) -> list[str]:
        """Other tenants than this one with records there."""
        return [each for each in self._last if each != tenant]

    def knows(self, tenant: str) -> bool:
        """Whether a record of this tenant was seen, or is expected."""
        return tenant in self._last
