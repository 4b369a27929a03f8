"""Where the bytes of replies go: whoever reads must not bring more than there is room for."""

from typing import Protocol

__all__ = ["Boundless", "Room"]


class Room(Protocol):
    """The memory of one read."""

    @property
    def waited(self) -> float:
        """Seconds for which the read has waited for room: time that is not Graph's."""
        ...

    async def ahead(self, octets: int) -> None:
        """Wait until so many bytes of JSON more than are taken have room; called before a request is sent."""
        ...

    async def take(self, octets: int) -> None:
        """Count bytes of JSON as they come in; waits while there is no room for them."""
        ...

    def sent(self) -> None:
        """A request is sent now, its budget and its token being there: until here nobody waited for Graph."""
        ...

    def restart(self) -> None:
        """What was taken is given up: the read begins anew."""
        ...


class Boundless:
    """Room without bounds, for whoever reads one small reply."""

    @property
    def waited(self) -> float:
        """It never waits."""
        return 0.0

    async def ahead(self, octets: int) -> None:
        """Never waits."""

    async def take(self, octets: int) -> None:
        """Never waits."""

    def sent(self) -> None:
        """Nobody asks."""

    def restart(self) -> None:
        """Nothing was counted."""
