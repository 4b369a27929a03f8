"""What a service says about a flow of records: where from, what to do, within which limits."""

import math
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from enum import IntEnum

from ringback_common.outcomes import Outcome, Received
from ringback_events.topics import Topic

from ringback_stream.consume.byte_budget import ByteBudget
from ringback_stream.consume.ownership import Ownership

__all__ = [
    "STEP_LIMIT",
    "Aside",
    "BatchLimits",
    "BatchStep",
    "BatchedFlow",
    "Caps",
    "KeyStep",
    "KeyedFlow",
    "Lane",
    "LaneKind",
    "OnApplied",
    "OnExhausted",
    "OnThrottled",
    "RetryBudget",
]

KeyStep = Callable[[Sequence[Received]], Awaitable[Sequence[Outcome]]]
"""All records of one key that are in hand, by arrival; the answer has the same length and order."""
BatchStep = Callable[[Sequence[Received]], Awaitable[Sequence[Outcome]]]
"""A mixed batch; the answer has the same length and order."""
OnExhausted = Callable[[Received, int], Outcome]
"""What becomes of a record whose in-place budget is used up after so many attempts."""
OnThrottled = Callable[[Received, float], Outcome]
"""What becomes of a record that alone, not its tenant, has to wait for so many seconds."""
OnApplied = Callable[[Sequence[Outcome]], None]
"""Called with the outcomes of a step once all they write is acked; those that the broker refused are `Reject`."""

STEP_LIMIT = 1200.0
"""Seconds after which a step counts as hung and liveness turns red; the longest read of Graph gives up after 900."""


class LaneKind(IntEnum):
    """What a topic is to its flow; the lower goes first."""

    LIVE = 0
    RETRY = 1
    """A record is held back until the moment its `ringback_due` header names, within the lane's longest wait."""
    ASIDE = 2
    """Its records wait until their tenant has room; see `Aside`."""
    BULK = 3
    """Has slots of its own and never holds live back."""


@dataclass(frozen=True, slots=True)
class Lane:
    """One topic of a flow.

    Attributes:
        topic: which.
        kind: what it is to the flow.
        longest_wait: of a retry lane, the seconds after the broker's time stamp at which its records are due, whatever
            they say: a longer wait was written by a process with a wrong clock.
    """

    topic: Topic
    kind: LaneKind = LaneKind.LIVE
    longest_wait: float = math.inf


@dataclass(frozen=True, slots=True)
class Caps:
    """Bounds of what is in hand.

    Attributes:
        in_flight: steps that have no answer yet, bulk left out. What a step has answered and waits for Kafka is bounded
        in bytes, see `ringback_stream.consume.byte_budget`.
        in_flight_per_tenant: of these, one tenant's; the rest of the slots stay free for others when one tenant's
        calls hang.
        in_flight_bulk: the same for bulk, and for reads that take longer than their records may wait.
        in_flight_bulk_per_tenant: of these, one tenant's.
        window: of a flow that puts nothing aside, offsets from a partition's lowest unfinished to its next.
        keys_per_tenant: the same, unfinished keys of one tenant. Waiting records of one key share a step and count
        once; those of bulk count apart.
        largest_share: of a flow that puts aside, unfinished keys of one tenant.
        least_share: no tenant's share is smaller.
        records_per_key: records of one key that may wait.
        low: share of a cap below which a paused partition goes on (hysteresis: pausing discards prefetched records).
    """

    in_flight: int = 64
    in_flight_per_tenant: int = 48
    in_flight_bulk: int = 16
    in_flight_bulk_per_tenant: int = 12
    window: int = 256
    keys_per_tenant: int = 64
    largest_share: int = 128
    least_share: int = 8
    records_per_key: int = 64
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
        byte_count: keys and values together, in bytes; one larger record makes a batch of its own.
        wait: seconds a batch waits for company after its first record.
        retry_first: seconds before a failed batch is tried again; doubles.
        retry_longest: its upper bound.
    """

    records: int = 2000
    byte_count: int = 8 * 1024 * 1024
    wait: float = 0.005
    retry_first: float = 0.5
    retry_longest: float = 15.0


@dataclass(frozen=True, slots=True)
class Aside:
    """Where a flow puts what it cannot finish soon, so that no other record waits behind it.

    What exceeds its tenant's share in hand goes to one of `topics`, lanes of kind ASIDE, and waits there for room. What
    takes long for its own sake goes to a retry lane, while the read under way goes on.

    Steps of such a flow say when they ask the other side, by `Hold.asking`: what was not answered says nothing about
    whether it is there, whatever becomes of the record.

    Attributes:
        topics: two of them, so that two tenants with a backlog do not wait for each other.
        within: seconds for which a record may keep its offset open.
        move: what becomes of a record that goes to a topic, by its name, without a try; nothing is counted.
        slow: of one whose read takes longer, and goes on; the second value is the read's name for `READ`.
        busy: of one that waits for a read of its call, for that read's name if it is one of its own: it comes again a
            little later; nothing is counted.
        is_paused: whether a tenant must not be asked at all.
        may_ask: whether a record's tenant may be asked for this record. Asked last: the answer may count as a probe.
        quota: how many records of a tenant its quota serves in a second.
        keep_seconds: a record that is older moves to the end of its lane, lest retention takes it.
    """

    topics: tuple[Topic, Topic]
    move: Callable[[Received, str], Outcome]
    slow: Callable[[Received, bytes], Outcome]
    busy: Callable[[Received, bytes | None], Outcome]
    is_paused: Callable[[str], bool]
    may_ask: Callable[[Received], bool]
    quota: Callable[[str], float]
    within: float = 5.0
    keep_seconds: float = 3.5 * 86_400


@dataclass(frozen=True, slots=True)
class KeyedFlow:
    """Strictly one step at a time per key, over all lanes; many keys at once."""

    group: str
    lanes: tuple[Lane, ...]
    step: KeyStep
    on_exhausted: OnExhausted
    on_throttled: OnThrottled | None = None
    """None: such a record waits in hand."""
    on_applied: OnApplied | None = None
    aside: Aside | None = None
    """None: what is too much waits, and its partition with it."""
    key_interval: float = 0.0
    """Seconds between the beginnings of two steps of one key: a burst of notifications becomes two steps."""
    caps: Caps = field(default_factory=Caps)
    retry: RetryBudget = field(default_factory=RetryBudget)
    ownership: Ownership | None = None
    step_limit: float = STEP_LIMIT
    in_hand: ByteBudget = field(default_factory=ByteBudget)
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
