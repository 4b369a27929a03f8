"""What a service says about a flow of records: where from, what to do, within which limits."""

import math
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from enum import IntEnum

from ringback_common.outcomes import Outcome, Received
from ringback_events.topics import Topic

from ringback_stream.in_hand import InHand
from ringback_stream.ownership import Ownership

__all__ = [
    "STEP_LIMIT",
    "BatchLimits",
    "BatchStep",
    "BatchedFlow",
    "Caps",
    "Divert",
    "KeyStep",
    "KeyedFlow",
    "Lane",
    "LaneKind",
    "OnExhausted",
    "OnHeld",
    "OnSettled",
    "OnThrottled",
    "RetryBudget",
    "nothing_diverted",
]

KeyStep = Callable[[Sequence[Received]], Awaitable[Sequence[Outcome]]]
"""All records of one key that are in hand, by arrival; the answer has the same length and order."""
BatchStep = Callable[[Sequence[Received]], Awaitable[Sequence[Outcome]]]
"""A mixed batch; the answer has the same length and order."""
OnExhausted = Callable[[Received, int], Outcome]
"""What becomes of a record whose in-place budget is used up after so many attempts."""
OnThrottled = Callable[[Received, float], Outcome]
"""What becomes of a record that alone, not its tenant, has to wait for so many seconds."""
OnHeld = Callable[[Received], Outcome]
"""What becomes of a record of a long-throttled tenant that may be held no longer."""
Divert = Callable[[Received], Outcome | None]
"""Asked for each record taken in, and perhaps again for the same one: what becomes of it without a step, or None."""
OnSettled = Callable[[Sequence[Outcome]], None]
"""Told the outcomes of a step once everything they write is acked; those the broker refused are told as `Reject`."""

STEP_LIMIT = 1200.0
"""Seconds after which a step counts as hung and liveness turns red; the longest read of Graph gives up after 900."""


def nothing_diverted(_: Received) -> None:
    """Every record needs a step."""


class LaneKind(IntEnum):
    """What a topic is to its flow; the lower goes first."""

    LIVE = 0
    RETRY = 1
    """A record is held back until the moment its `ringback_due` header names, within the lane's longest wait."""
    BULK = 2
    """Has slots of its own and never holds live back."""


@dataclass(frozen=True, slots=True)
class Lane:
    """One topic of a flow.

    Attributes:
        topic: which.
        kind: what it is to the flow.
        longest_wait: of a retry lane, the seconds after the broker's time stamp at which its records are due, whatever
            they say: who wrote more was wrong about the time, and was heard of once that clock was set right again.
    """

    topic: Topic
    kind: LaneKind = LaneKind.LIVE
    longest_wait: float = math.inf


@dataclass(frozen=True, slots=True)
class Caps:
    """Bounds of what is in hand.

    Attributes:
        in_flight: live and retry steps that have no answer yet. What a step has answered and waits for Kafka is bounded
        in bytes, see `ringback_stream.in_hand`.
        in_flight_per_tenant: of these, one tenant's; the rest of the slots stay free for others when one tenant's
        calls hang.
        in_flight_bulk: the same for bulk, besides `in_flight`.
        span: offsets between a partition's watermark and its head, diverted records left out; what a crash repeats at
        most per partition, besides those (`ringback_stream.diversion.LARGEST_SPAN`).
        keys_per_tenant: unfinished keys of one tenant. Waiting records of one key share a step and count once.
        low: share of a cap below which a paused partition goes on (hysteresis: pausing discards prefetched records).
    """

    in_flight: int = 64
    in_flight_per_tenant: int = 48
    in_flight_bulk: int = 16
    span: int = 256
    keys_per_tenant: int = 64
    low: float = 0.5


@dataclass(frozen=True, slots=True)
class RetryBudget:
    """How often and how long a step that fails alone is repeated in place; pauses: `first`·2ⁿ s, at most `longest`."""

    attempts: int = 4
    seconds: float = 15.0
    first: float = 0.25
    longest: float = 4.0


@dataclass(frozen=True, slots=True)
class BatchLimits:
    """Bounds of one batch.

    Attributes:
        records: at most so many.
        octets: keys and values together, in bytes; one larger record makes a batch of its own.
        wait: seconds a batch waits for company after its first record.
        retry_first: seconds before a failed batch is tried again; doubles.
        retry_longest: its upper bound.
    """

    records: int = 2000
    octets: int = 8 * 1024 * 1024
    wait: float = 0.005
    retry_first: float = 0.5
    retry_longest: float = 15.0


@dataclass(frozen=True, slots=True)
class KeyedFlow:
    """Strictly one step at a time per key, over all lanes; many keys at once."""

    group: str
    lanes: tuple[Lane, ...]
    step: KeyStep
    on_exhausted: OnExhausted
    on_throttled: OnThrottled | None = None
    """None: such a record waits in hand."""
    on_held: OnHeld | None = None
    on_settled: OnSettled | None = None
    divert: Divert = nothing_diverted
    key_interval: float = 0.0
    """Seconds between the beginnings of two steps of one key: a burst of notifications becomes two steps."""
    caps: Caps = field(default_factory=Caps)
    retry: RetryBudget = field(default_factory=RetryBudget)
    ownership: Ownership | None = None
    step_limit: float = STEP_LIMIT
    in_hand: InHand = field(default_factory=InHand)
    """Bytes of all steps from their beginning until what they made is written."""


@dataclass(frozen=True, slots=True)
class BatchedFlow:
    """One mixed batch at a time, in the order of each partition."""

    group: str
    topics: tuple[Topic, ...]
    step: BatchStep
    limits: BatchLimits = field(default_factory=BatchLimits)
    ownership: Ownership | None = None
    step_limit: float = STEP_LIMIT

    @property
    def lanes(self) -> tuple[Lane, ...]:
        """The topics as live lanes."""
        return tuple(Lane(topic) for topic in self.topics)

    @property
    def divert(self) -> Divert:
        """A batch takes whatever comes."""
        return nothing_diverted
