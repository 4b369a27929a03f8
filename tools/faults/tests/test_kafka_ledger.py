"""What a row took from topics reaches the ledgers: a fake client over a log made anew and one that was shortened."""

import struct
from collections.abc import AsyncGenerator, Iterable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiokafka import ConsumerRecord, TopicPartition
from ringback_events import topics
from ringback_faults.collect import kafka_ledger as module
from ringback_faults.collect.kafka_ledger import KafkaLedger, kafka_ledger
from ringback_faults.collect.kept import Kept
from ringback_faults.collect.topic_dump import OFFSETS_TOPIC, records_between
from ringback_faults.ledgers import Generation, TopicRecord
from ringback_faults.oracle.index import ENRICHER, origin_of, place_of

FETCH, RECORDS, LETTERS = topics.FETCH.name, topics.RECORDS.name, topics.INTERNAL_DEAD_LETTERS.name
DROPPED, REMOVED = 10.0, 15.0


def record(topic: str, offset: int, at: float, key: bytes = b"t|c", value: bytes = b"", **headers: bytes) -> Any:
    """As the client reads it, of partition 0."""
    return ConsumerRecord(topic, 0, offset, round(at * 1000), 1, key, value, None, 1, 1, tuple(headers.items()))


def letter(offset: int, at: float, origin: int, origin_at: float | None) -> Any:
    """The dead letter of a fetch request, with the offset of the log that the service read."""
    reported = {"ringback_dlq_topic": FETCH.encode(), "ringback_dlq_partition": b"0"}
    reported["ringback_dlq_offset"] = str(origin).encode()
    if origin_at is not None:
        reported["ringback_dlq_timestamp"] = str(round(origin_at * 1000)).encode()
    return record(LETTERS, offset, at, **reported)


def _text(value: str) -> bytes:
    return struct.pack(">h", len(value)) + value.encode()


def committed(offset: int, at: float, topic: str, upto: int) -> Any:
    """An offset of the enricher's, as Kafka keeps it."""
    key = struct.pack(">h", 1) + _text(ENRICHER) + _text(topic) + struct.pack(">i", 0)
    return record(OFFSETS_TOPIC, offset, at, key, struct.pack(">hqihq", 3, upto, -1, 0, 1))


def generation(offset: int, at: float) -> Any:
    """A state of the enricher's group, without members."""
    value = struct.pack(">h", 3) + _text("consumer") + struct.pack(">ihhqi", 4, -1, -1, 1, 0)
    return record(OFFSETS_TOPIC, offset, at, struct.pack(">h", 2) + _text(ENRICHER), value)


class Consumer:
    """Reads logs that are lists; like the real client it goes to the end if it is to begin where nothing is left."""

    def __init__(self, records: Iterable[Any]) -> None:
        self.logs: dict[TopicPartition, list[Any]] = {}
        for one in records:
            self.logs.setdefault(TopicPartition(one.topic, one.partition), []).append(one)
        self._next: dict[TopicPartition, int] = {}

    async def end_offsets(self, parts: Iterable[TopicPartition]) -> dict[TopicPartition, int]:
        """The next offsets."""
        return {part: self.logs[part][-1].offset + 1 for part in parts}

    async def beginning_offsets(self, parts: Iterable[TopicPartition]) -> dict[TopicPartition, int]:
        """The oldest offsets."""
        return {part: self.logs[part][0].offset for part in parts}

    def assign(self, parts: Iterable[TopicPartition]) -> None:
        """Read these."""
        self._next = dict.fromkeys(parts, 0)

    def seek(self, part: TopicPartition, offset: int) -> None:
        """Go on there."""
        self._next[part] = offset if offset >= self.logs[part][0].offset else self.logs[part][-1].offset + 1

    async def position(self, part: TopicPartition) -> int:
        """Where it goes on."""
        return self._next[part]

    async def getmany(self, timeout_ms: int) -> dict[TopicPartition, list[Any]]:
        """Everything there is."""
        assert timeout_ms
        read = {part: [one for one in self.logs[part] if one.offset >= at] for part, at in self._next.items()}
        self._next = await self.end_offsets(self._next)
        return read


async def ledger_of(
    monkeypatch: pytest.MonkeyPatch, live: Iterable[Any], began: dict[str, int], *kept: Kept
) -> KafkaLedger:
    """Of what topics hold now, in a row that began at these offsets of partition 0."""
    consumer = Consumer(live)

    @asynccontextmanager
    async def reading(_: str) -> AsyncGenerator[Consumer]:
        yield consumer

    async def partitions_of(*_: Any) -> list[TopicPartition]:
        return list(consumer.logs)

    monkeypatch.setattr(module, "reading", reading)
    monkeypatch.setattr(module, "partitions_of", partitions_of)
    return await kafka_ledger("", {TopicPartition(topic, 0): offset for topic, offset in began.items()}, kept)


def places(records: Iterable[TopicRecord], topic: str) -> list[tuple[int, float]]:
    """Offset and time of each."""
    return [(one.offset, one.at) for one in records if one.topic == topic]


def dropped() -> Kept:
    """The fetch requests 0 to 6 were deleted with their topic; the row began at the sixth."""
    return Kept(DROPPED, FETCH, [record(FETCH, offset, 3.0 + offset) for offset in range(7)], {0: 7})


async def test_what_was_taken_from_topics_is_in_the_ledgers_and_what_came_after_counts_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Records that were dropped, records that were removed, what stands now, and the commits of both logs."""
    removed = Kept(REMOVED, RECORDS, [record(RECORDS, n, 12.0) for n in (2, 3, 4)], unread=frozenset({(RECORDS, 0, 4)}))
    live = [
        *(record(FETCH, 0, 11.0), record(FETCH, 1, 12.0)),
        *(record(RECORDS, 5, 13.0), record(RECORDS, 6, 16.0)),
        *(committed(0, 1.0, FETCH, 5), committed(1, 9.0, FETCH, 7), committed(2, 12.5, FETCH, 2)),
        *(committed(3, 16.5, RECORDS, 7), committed(4, 16.6, "another's", 7), generation(5, 17.0)),
    ]
    ledger = await ledger_of(monkeypatch, live, {FETCH: 5, RECORDS: 3, OFFSETS_TOPIC: 1}, dropped(), removed)
    assert places(ledger.records, FETCH) == [(5, 8.0), (6, 9.0), (7, 11.0), (8, 12.0)]
    assert places(ledger.records, RECORDS) == [(3, 12.0), (4, 12.0), (5, 13.0), (6, 16.0)]
    assert [(one.topic, one.offset, one.at) for one in ledger.commits] == [
        (FETCH, 7, 9.0),
        (FETCH, 9, 12.5),
        (RECORDS, 7, 16.5),
    ]
    assert ledger.generations == (Generation(17.0, ENRICHER, 4, 0),)


async def test_a_dead_letter_is_of_the_record_of_the_log_that_the_service_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same offset in the old log and in the new one, told apart by the origin's time; without it, by its own."""
    live = [
        record(FETCH, 0, 11.0),
        *(letter(0, 9.5, 6, 9.0), letter(1, 12.0, 6, 9.0), letter(2, 12.0, 0, 11.0), letter(3, 12.0, 0, None)),
        record(LETTERS, 4, 12.0, ringback_dlq_offset=b"none"),
    ]
    ledger = await ledger_of(monkeypatch, live, {FETCH: 5}, dropped())
    letters = [one for one in ledger.records if one.topic == LETTERS]
    assert [origin_of(one) for one in letters] == [(FETCH, 0, 6), (FETCH, 0, 6), (FETCH, 0, 7), (FETCH, 0, 7), None]
    assert {origin_of(one) for one in letters} - {None} <= {place_of(one) for one in ledger.records}


async def test_a_log_whose_beginning_was_removed_is_read_from_what_is_left() -> None:
    """The client would go to its end otherwise."""
    consumer = Consumer([record(RECORDS, offset, 1.0) for offset in (5, 6, 7)])
    ends = {TopicPartition(RECORDS, 0): 7}
    assert [one.offset async for one in records_between(consumer, {TopicPartition(RECORDS, 0): 3}, ends)] == [5, 6]
