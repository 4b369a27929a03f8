"""Who is measured, and what a measurement gives: the interface another system fills to stand beside Ringback."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol, TypeVar

__all__ = ["Contestant", "Latency", "Ran"]

Load_contra = TypeVar("Load_contra", contravariant=True)


@dataclass(frozen=True, slots=True)
class Latency:
    """Milliseconds."""

    p50: float
    p99: float

    @classmethod
    def of(cls, milliseconds: Sequence[float]) -> "Latency":
        """Of at least one value."""
        ordered = sorted(milliseconds)
        return cls(*(ordered[min(len(ordered) - 1, int(share * len(ordered)))] for share in (0.5, 0.99)))


@dataclass(frozen=True, slots=True)
class Ran:
    """What a load came to.

    Attributes:
        records: how many were finished between `began` and `ended`.
        began: epoch seconds, on this machine's clock, as `ended`.
        latency: where it has a meaning.
        failures: records that were answered or finished otherwise than they should.
    """

    records: int
    began: float
    ended: float
    latency: Latency | None = None
    failures: int = 0
    also: dict[str, float] = field(default_factory=dict[str, float])

    @property
    def rate(self) -> float:
        """Records a second."""
        return self.records / (self.ended - self.began)


class Contestant(Protocol[Load_contra]):
    """One system under one stage's load. It is started, given one load after the other, and stopped."""

    @property
    def name(self) -> str:
        """What people call it."""
        ...

    async def start(self) -> None:
        """Return when it is ready for load."""
        ...

    def pids(self) -> Sequence[int]:
        """Its own processes while it runs: not the load's, not Kafka's, not PostgreSQL's; children are found."""
        ...

    async def run(self, load: Load_contra) -> Ran:
        """Carry one load through."""
        ...

    async def stop(self) -> None:
        """End every process of it."""
        ...
