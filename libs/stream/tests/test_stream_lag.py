"""How far a partition is behind, by the broker's log end, whatever was fetched of it."""

from collections.abc import AsyncGenerator, Collection, Mapping
from datetime import UTC, datetime, timedelta

import pytest
from aiokafka import TopicPartition
from aiokafka.errors import KafkaConnectionError
from prometheus_client import Gauge
from ringback_common.errors import ConfigError
from ringback_events.topics import FETCH, FETCH_BULK
from ringback_stream import telemetry
from ringback_stream.consume.assignment import Assignment
from ringback_stream.consume.first_records import FirstRecord
from ringback_stream.consume.lag import PartitionLag
from ringback_stream.consume.partitions import Partition
from ringback_testing.kafka_in_memory import GroupInMemory, LogInMemory

GROUP = "lagging"
PLACES = [TopicPartition(FETCH.name, number) for number in (0, 1)]
HERE, THERE = (Partition(FETCH.name, number) for number in (0, 1))
BEGAN = datetime(2026, 11, 2, 9, tzinfo=UTC)
BEGAN_MS = int(BEGAN.timestamp() * 1000)


class Rig:
    """A member of two partitions on a Kafka in memory, and a clock that the test moves."""

    def __init__(self) -> None:
        self.log = LogInMemory({place: [] for place in PLACES})
        self.client = GroupInMemory(self.log)
        self.client.join(PLACES)
        self.seconds = 0.0
        self.records_read = 0
        self.is_away = False
        self.leaderless: set[str] = set()
        self.is_secret_missing = False
        self.assignment = Assignment(GROUP, self, str, lambda: None)
        self.lag = PartitionLag(GROUP, self.assignment, self, str, self.read_first_records)

    def now(self) -> datetime:
        """The wall clock."""
        return BEGAN + timedelta(seconds=self.seconds)

    def monotonic(self) -> float:
        """Seconds."""
        return self.seconds

    async def read_first_records(
        self, offsets: Mapping[TopicPartition, int]
    ) -> AsyncGenerator[tuple[TopicPartition, FirstRecord]]:
        """As a reader without a group finds it in the log."""
        if self.is_secret_missing:
            raise ConfigError("a file is being replaced")
        for place, offset in offsets.items():
            self.records_read += 1
            found = (each for each in self.log.entries[place] if each.offset >= offset)
            first = next(found, None)
            yield (
                place,
                FirstRecord(self.log.ends[place], None)
                if first is None
                else FirstRecord(first.offset, first.timestamp),
            )

    async def end_offsets(self, partitions: Collection[TopicPartition]) -> Mapping[TopicPartition, int]:
        """The log's ends, while the broker is there."""
        if self.is_away or self.leaderless & {place.topic for place in partitions}:
            raise KafkaConnectionError
        return await self.client.end_offsets(partitions)

    async def beginning_offsets(self, partitions: Collection[TopicPartition]) -> Mapping[TopicPartition, int]:
        """The log's beginnings."""
        return await self.client.beginning_offsets(partitions)

    def write(self, count: int, number: int = 0, gap: int = 0) -> None:
        """Records that the broker stamps now."""
        for _ in range(count):
            self.log.append(PLACES[number], b"t|c", (), BEGAN_MS + int(self.seconds * 1000), gap)

    def take(self, offset: int, partition: Partition = HERE) -> None:
        """Take a record in, as the back-pressure gate does."""
        tracker = self.assignment.trackers.of(partition)
        assert tracker is not None
        (entry,) = (each for each in self.log.entries[PLACES[partition.number]] if each.offset == offset)
        while tracker.next_offset < offset:
            tracker.skip_to(offset)
        tracker.take(offset, timestamp_ms=entry.timestamp)

    def finish(self, offset: int, partition: Partition = HERE) -> None:
        """Finish it."""
        assert self.assignment.finish(self.assignment.trackers.ticket(partition, offset))

    async def after(self, seconds: float) -> tuple[float | None, float | None]:
        """What partition 0 shows after so long: its lag, and the age of its oldest record."""
        self.seconds += seconds
        await self.lag.measure(self)
        return shown(telemetry.LAG_RECORDS), shown(telemetry.OLDEST_UNFINISHED)


def shown(gauge: Gauge, number: int = 0) -> float | None:
    """The series of a partition; None if there is none."""
    labels = {"group": GROUP, "topic": FETCH.name, "partition": str(number)}
    return next(
        (sample.value for family in gauge.collect() for sample in family.samples if sample.labels == labels), None
    )


@pytest.fixture
def rig() -> Rig:
    """Both partitions begin at their oldest record, as those of a group without a commit do."""
    rig = Rig()
    rig.assignment.begin({HERE: 0, THERE: 0})
    return rig


async def test_a_partition_without_records_and_without_a_commit_is_not_behind(rig: Rig) -> None:
    """A scaler by the committed offset would keep its maximum of replicas for it."""
    assert await rig.after(600) == (0, 0)


async def test_records_that_were_never_fetched_count_and_age(rig: Rig) -> None:
    """The consumer is given nothing: the broker alone knows, and one read finds since when."""
    rig.write(3)
    assert await rig.after(100) == (3, 0)
    assert await rig.after(5) == (3, 105)
    rig.write(2)
    assert await rig.after(95) == (5, 200)
    assert rig.records_read == 1


async def test_records_that_were_fetched_and_not_taken_in_count(rig: Rig) -> None:
    """Measured from the fetched position all would be read."""
    rig.write(3)
    rig.client.seek(PLACES[0], 0)
    rig.client.poll(PLACES[0], 3, 0)
    assert rig.client.position[PLACES[0]] == 3
    assert await rig.after(7) == (3, 0)
    assert await rig.after(5) == (3, 12)


async def test_what_is_in_hand_counts_by_its_own_time_stamp(rig: Rig) -> None:
    """What was finished out of order does not; nothing is read for it."""
    rig.write(1)
    rig.seconds = 10
    rig.write(3)
    for offset in range(3):
        rig.take(offset)
    rig.finish(1)
    assert await rig.after(20) == (3, 30)
    rig.finish(0)
    assert await rig.after(0) == (2, 20)
    rig.finish(2)
    rig.take(3)
    rig.finish(3)
    assert await rig.after(50) == (0, 0)
    assert rig.records_read == 0


async def test_a_refused_record_has_its_time_stamp_without_a_read(rig: Rig) -> None:
    """A paused partition's next record was seen by the gate."""
    rig.write(2)
    tracker = rig.assignment.trackers.of(HERE)
    assert tracker is not None
    tracker.refuse(BEGAN_MS)
    assert await rig.after(40) == (2, 40)
    assert await rig.after(40) == (2, 80)
    assert rig.records_read == 0


async def test_what_retention_removed_is_no_lag(rig: Rig) -> None:
    """A paused partition stands below the log's beginning: what is gone counts no more, and ages no more."""
    rig.write(5)
    tracker = rig.assignment.trackers.of(HERE)
    assert tracker is not None
    tracker.refuse(BEGAN_MS)
    rig.seconds = 1000
    rig.write(2)
    rig.log.remove(PLACES[0], 5)
    await rig.after(0)
    assert await rig.after(10) == (2, 10)
    rig.log.remove(PLACES[0], 7)
    assert await rig.after(5) == (0, 0)


async def test_compacted_offsets_do_not_count_once_they_are_known_to_be_empty(rig: Rig) -> None:
    """Between the next offset and the first record that is left, and at the log's end."""
    rig.seconds = 50
    rig.write(1, gap=9)
    assert await rig.after(1) == (10, 0)
    assert await rig.after(5) == (1, 6)
    rig.take(9)
    rig.finish(9)
    rig.log.ends[PLACES[0]] += 4  # tombstones that compaction removed
    await rig.after(5)
    assert await rig.after(5) == (0, 0)
    rig.write(1)
    assert await rig.after(1) == (1, 1)


async def test_while_no_broker_answers_the_age_grows(rig: Rig) -> None:
    """The lag is the last one that was known."""
    rig.write(2)
    rig.take(0)
    assert await rig.after(10) == (2, 10)
    rig.is_away = True
    assert await rig.after(300) == (2, 310)


async def test_partitions_are_measured_apart_and_those_given_back_are_hidden(rig: Rig) -> None:
    """Another member shows them now."""
    rig.write(4, number=1)
    await rig.after(5)
    assert [shown(telemetry.LAG_RECORDS, number) for number in (0, 1)] == [0, 4]
    rig.assignment.begin({HERE: 0})
    await rig.after(5)
    assert [shown(telemetry.LAG_RECORDS, number) for number in (0, 1)] == [0, None]
    assert [shown(telemetry.OLDEST_UNFINISHED, number) for number in (0, 1)] == [0, None]


async def test_a_topic_without_a_leader_hides_no_other(rig: Rig) -> None:
    """Aiokafka answers for no partition while one has no leader."""
    rig.assignment.begin({HERE: 0, THERE: 0, Partition(FETCH_BULK.name, 0): 0})
    rig.leaderless = {FETCH_BULK.name}
    rig.write(3)
    assert (await rig.after(5.0))[0] == 3
    rig.write(2)
    assert (await rig.after(5.0))[0] == 5


async def test_a_secret_that_is_being_replaced_ends_no_process(rig: Rig) -> None:
    """The reader of the oldest record reads certificate and password anew; its age is known a little later."""
    rig.write(3)
    rig.is_secret_missing = True
    for _ in range(3):
        assert (await rig.after(5.0))[0] == 3
    rig.is_secret_missing = False
    assert await rig.after(5.0) == (3, 20.0)
