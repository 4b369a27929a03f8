"""What a seek throws away is freed at once, by aiokafka's own results of a fetch; without a broker."""

import gc
import os
import weakref
from collections.abc import Generator
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka import TopicPartition
from aiokafka.consumer.fetcher import FetchError, FetchResult, PartitionRecords
from aiokafka.record.default_records import DefaultRecordBatchBuilder
from aiokafka.record.memory_records import MemoryRecords
from ringback_stream.consume.consumer import Consumer
from ringback_stream.consume.fetched import release_discarded

PLACE = TopicPartition("t", 0)


@pytest.fixture(autouse=True)
def nothing_is_collected() -> Generator[None]:
    """Only counting references frees anything."""
    gc.disable()
    yield
    gc.enable()


def fetched(read: int) -> PartitionRecords:
    """A hundred records, of which so many were read."""
    batch: Any = DefaultRecordBatchBuilder(2, 0, 0, -1, -1, 0, 1 << 20)
    for offset in range(100):
        batch.append(offset, 0, b"k", os.urandom(50), [])
    raw = MemoryRecords(bytes(batch.build()))
    records: Any = PartitionRecords(PLACE, raw, [], 0, None, None, True, "read_committed")  # noqa: FBT003 - aiokafka's
    for _ in range(read):
        next(records)
    return records


def consumer(result: Any) -> Any:
    """A consumer that has fetched this."""
    made = SimpleNamespace(_fetcher=SimpleNamespace(_records={PLACE: result}))
    release_discarded(made)
    return made


@pytest.mark.parametrize("read", [0, 30, 100])
@pytest.mark.parametrize("how", ["deleted", "cleared"])
def test_what_is_thrown_away_is_freed_at_once(read: int, how: str) -> None:
    """Whether it was read in part, or not at all; by a seek, or with the assignment."""
    records = fetched(read)
    held = weakref.ref(records)
    given: Any = FetchResult(PLACE, assignment=None, partition_records=records, backoff=0)
    of_the_consumer = consumer(given)
    del records, given
    assert held() is not None
    if how == "deleted":
        del of_the_consumer._fetcher._records[PLACE]
    else:
        of_the_consumer._fetcher._records.clear()
    assert held() is None


def test_without_it_a_result_that_is_thrown_away_half_read_stays() -> None:
    """If this fails, aiokafka has mended it, and `fetched` can go."""
    records = fetched(30)
    held = weakref.ref(records)
    del records
    assert held() is not None


def test_an_error_that_was_fetched_is_thrown_away_too() -> None:
    """It has nothing to close."""
    of_the_consumer = consumer(FetchError(error=ValueError(), backoff=0))
    del of_the_consumer._fetcher._records[PLACE]
    assert not of_the_consumer._fetcher._records


@pytest.mark.parametrize("is_active", [True, False])
def test_what_a_poll_finds_paused_or_of_an_earlier_assignment_is_freed_at_once(is_active: bool) -> None:  # noqa: FBT001 - pytest names it
    """Aiokafka takes the records out of the result first, as `getall` does it, and then throws that away."""
    records = fetched(30)
    held = weakref.ref(records)

    def paused(_: TopicPartition) -> SimpleNamespace:
        return SimpleNamespace(paused=True)

    assignment: Any = SimpleNamespace(active=is_active, state_value=paused)
    given = FetchResult(PLACE, assignment=assignment, partition_records=records, backoff=0)
    of_the_consumer = consumer(given)
    del records
    assert given.getall(10) == []
    assert not given.has_more()
    del of_the_consumer._fetcher._records[PLACE]
    assert held() is None


def test_what_another_result_takes_the_place_of_is_freed_at_once() -> None:
    """Two brokers may answer for a partition whose leader has just moved."""
    records = fetched(30)
    held = weakref.ref(records)
    first: Any = FetchResult(PLACE, assignment=None, partition_records=records, backoff=0)
    of_the_consumer = consumer(first)
    del records, first
    of_the_consumer._fetcher._records[PLACE] = FetchError(error=ValueError(), backoff=0)
    assert held() is None


class Started:
    """An application that has started."""

    async def start(self) -> None:
        """At once."""


async def test_a_consumer_that_has_started_frees_what_it_throws_away() -> None:
    """Whatever it had fetched by then, too."""
    records = fetched(30)
    held = weakref.ref(records)
    given: Any = FetchResult(PLACE, assignment=None, partition_records=records, backoff=0)
    client = SimpleNamespace(_fetcher=SimpleNamespace(_records={PLACE: given}))
    del records, given
    starting: Any = SimpleNamespace(_app=Started(), client=client)
    await Consumer.start(starting)
    client._fetcher._records.clear()
    assert held() is None
