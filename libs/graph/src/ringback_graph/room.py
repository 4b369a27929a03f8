"""The port to the limit of memory: a read reports the bytes of its replies and waits while there is no room."""

from contextlib import AbstractContextManager, nullcontext
from typing import Protocol

__all__ = ["Boundless", "Room"]


class Room(Protocol):
    """The memory that one read may use."""

    @property
    def waited(self) -> float:
        """Seconds for which the read has waited for room; they do not count as Graph's slowness."""
        ...

    async def ahead(self, byte_count: int) -> None:
        """Wait until so many bytes of JSON more than are taken have room; called before a request is sent."""
        ...

    async def take(self, byte_count: int) -> None:
        """Count bytes of JSON as they come in; waits while there is no room for them."""
        ...

    def asking(self) -> AbstractContextManager[None]:
        """Entered while a request is under way, its budget and token waited for: this time counts as Graph's."""
        ...

    def restart(self) -> None:
        """Release what was taken: the read begins anew."""
        ...


class Boundless:
    """Room without bounds, for requests with one small reply."""

    @property
    def waited(self) -> float:
        """Always 0."""
        return 0.0

    async def ahead(self, byte_count: int) -> None:
        """Never waits."""

    async def take(self, byte_count: int) -> None:
        """Never waits."""

    def asking(self) -> AbstractContextManager[None]:
        """Counts no time."""
        return nullcontext()

    def restart(self) -> None:
        """Nothing to release."""
