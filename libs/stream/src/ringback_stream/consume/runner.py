"""What the back-pressure gate needs of a runner, keyed or batched."""

from collections.abc import Callable, Mapping
from typing import Protocol

from ringback_common.outcomes import Received

from ringback_stream.consume.offsets import OffsetTracker, Ticket
from ringback_stream.flows import LaneKind

__all__ = ["MayGoOn", "Runner"]

MayGoOn = Callable[[], bool]
"""Whether a partition that was refused a record may be read again."""


class Runner(Protocol):
    """Runs steps over the records that the back-pressure gate lets in."""

    def refusal(self, tracker: OffsetTracker, received: Received, kind: LaneKind) -> MayGoOn | None:
        """None if the record may be taken in; else when to look again."""
        ...

    def offer(self, ticket: Ticket, received: Received, kind: LaneKind) -> None:
        """Take a record in."""
        ...

    async def wait_for_capacity(self) -> None:
        """Wait a little before the next batch of records, if that spares a pause."""
        ...

    def resume(self) -> None:
        """A new assignment begins: start steps again."""
        ...

    def close(self) -> None:
        """Start nothing more; what runs goes on."""
        ...

    async def drain(self, seconds: float) -> None:
        """Finish what runs, and what lies below finished records; cancel the rest at the deadline, forget all."""
        ...

    def drop(self) -> None:
        """The assignment is lost: cancel what runs, forget everything."""
        ...

    @property
    def stuck_since(self) -> float | None:
        """Monotonic time since which the oldest step has run, or since which nothing has although something may.

        None while all that is in hand waits for its time, for an open breaker or for Kafka.
        """
        ...

    @property
    def unstarted_since(self) -> float | None:
        """Monotonic time since which nothing has begun or ended although something may begin; None if nothing may."""
        ...

    def oldest_by_reason(self) -> Mapping[str, float]:
        """Monotonic time at which the oldest unfinished record was taken in, by what it waits for.

        `running`: its step; `ready`: a slot; `record`: its own time; `tenant`: its tenant's.
        """
        ...

    def oldest_key(self, why: str) -> bytes:
        """Key of the oldest unfinished record that waits for this, a word of `oldest_by_reason`; empty for none."""
        ...

    @property
    def keys_of_a_tenant(self) -> int:
        """The largest number of unfinished keys of one tenant; 0 where keys are not distinguished."""
        ...

    async def run(self) -> None:
        """Run steps for ever; raises whatever is not in the table's hands."""
        ...

    @property
    def oldest_arrival(self) -> float | None:
        """Monotonic time at which the record in hand longest was taken in."""
        ...
