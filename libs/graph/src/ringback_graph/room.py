"""Where the bytes of replies go: whoever reads must not bring more than there is room for."""

from contextlib import AbstractContextManager, nullcontext
from typing import Protocol

__all__ = ["Boundless", "Room"]


class Room(Protocol):
    """The memory of one read."""

    @property
    def waited(self) -> float:
        """Seconds for which the read has waited for room: time that is not Graph's."""
        ...

    async def ahead(self, byte_count: int) -> None:
        """Wait until so many bytes of JSON more than are taken have room; called before a request is sent."""
        ...

    async def take(self, byte_count: int) -> None:
        """Count bytes of JSON as they come in; waits while there is no room for them."""
        ...

    def asking(self) -> AbstractContextManager[None]:
        """A request is under way, its budget and its token being there: its time is Graph's."""
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

    async def ahead(self, byte_count: int) -> None:
        """Never waits."""

    async def take(self, byte_count: int) -> None:
        """Never waits."""

    def asking(self) -> AbstractContextManager[None]:
        """Nobody counts the time."""
        return nullcontext()

    def restart(self) -> None:
        """Nothing was counted."""
