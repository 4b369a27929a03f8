"""What the intake asks of a door, and what it tells it; each without a broker."""

from collections.abc import Sequence
from typing import Any

from aiokafka import TopicPartition
from ringback_common.clock import SystemClock
from ringback_common.outcomes import Emit, Outcome, Received
from ringback_events.topics import FETCH
from ringback_stream.aside.lookahead import Lookahead
from ringback_stream.aside.policy import WaitInKafka
from ringback_stream.consume.assignment import Assignment
from ringback_stream.consume.backpressure import BackpressureGate
from ringback_stream.consume.offsets import OffsetTracker, Ticket
from ringback_stream.consume.partitions import Partition
from ringback_stream.consume.records import KafkaRecord
from ringback_stream.flows import KeyedFlow, Lane
from ringback_testing.kafka_in_memory import Entry

PARTITION, PLACE = Partition(FETCH.name, 0), TopicPartition(FETCH.name, 0)


class Parts:
    """Door, runner and client in one: what was asked of each."""

    def __init__(self) -> None:
        self.decided: list[int] = []
        self.taken: list[int] = []
        self.seeks: list[int] = []
        self.seen = Lookahead(5)

    def decide(self, lane: Lane, tracker: OffsetTracker, received: Received) -> Outcome | WaitInKafka | None:  # noqa: ARG002
        """Take everything in."""
        self.decided.append(received.offset)

    def ahead(self, partition: Partition) -> Lookahead:  # noqa: ARG002 - the port's signature
        """One partition's."""
        return self.seen

    def offer(self, ticket: Ticket, received: Received, kind: object) -> None:  # noqa: ARG002 - the same
        """Take a record in."""
        self.taken.append(received.offset)

    def seek(self, place: TopicPartition, offset: int) -> None:
        """Go to an offset."""
        assert place == PLACE
        self.seeks.append(offset)


async def _step(records: Sequence[Received]) -> list[Outcome]:
    return [Emit() for _ in records]


def gate() -> tuple[BackpressureGate, Parts]:
    """An intake whose one partition begins at offset 5."""
    parts = Parts()
    everything: Any = parts
    assignment = Assignment("g", SystemClock(), str, lambda: None)
    assignment.begin({PARTITION: 5})
    flow = KeyedFlow("g", (Lane(FETCH),), _step, lambda _received, _attempts: Emit())
    made = BackpressureGate(flow, everything, everything, assignment, SystemClock())
    made.open()
    return made, parts


def take(made: BackpressureGate, parts: Parts, *offsets: int) -> None:
    """A poll brings these offsets, each of a tenant of its own."""
    records: list[tuple[str, KafkaRecord]] = [
        (FETCH.name, Entry(FETCH.name, 0, offset, 0, f"t{offset}|1".encode(), b"")) for offset in offsets
    ]
    made.take(parts, records)


def test_nothing_is_decided_for_a_record_behind_a_gap_before_the_gap_is_believed() -> None:
    """The decision may be that a paused tenant is asked for this record: it is good for one."""
    made, parts = gate()
    take(made, parts, 8)
    assert (parts.decided, parts.seeks) == ([], [5])
    take(made, parts, 8, 8)
    assert (parts.decided, parts.taken, parts.seeks) == ([8], [8], [5])


def test_a_tenant_whose_records_were_all_taken_is_forgotten() -> None:
    """No record waits behind them any more: their lane is free for others."""
    made, parts = gate()
    take(made, parts, 5, 6, 7)
    assert len(parts.seen) == 0
