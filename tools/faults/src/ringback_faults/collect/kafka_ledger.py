"""What Kafka holds of a row: the records of its topics, and the consumers' offsets and generations."""

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any, NamedTuple

from aiokafka import TopicPartition
from ringback_events.topics import ALL_TOPICS
from ringback_local.stack import Stack

from ringback_faults.collect.group_offsets import decode
from ringback_faults.collect.kept import Kept, begins_of, commits_counted_on, counted_on, origin_counted_on, records_of
from ringback_faults.collect.people import People
from ringback_faults.collect.topic_dump import (
    OFFSETS_TOPIC,
    READ_TOPICS,
    ends_of,
    partitions_of,
    reading,
    records_between,
    topic_record,
)
from ringback_faults.ledgers import Commit, Generation, TopicRecord

__all__ = ["KafkaLedger", "kafka_ledger", "people_of"]

_Offsets = Mapping[TopicPartition, int]

_OURS = frozenset(topic.name for topic in ALL_TOPICS)


class KafkaLedger(NamedTuple):
    """Each list in the order of its partition; `people` stood in the records."""

    records: tuple[TopicRecord, ...]
    commits: tuple[Commit, ...]
    generations: tuple[Generation, ...]
    people: People


async def kafka_ledger(bootstrap: str, began: _Offsets, kept: Sequence[Kept]) -> KafkaLedger:
    """Everything since the row began at these offsets, what the row took from topics included."""
    names = [topic.name for topic in READ_TOPICS]
    async with reading(bootstrap) as consumer:
        ends = await ends_of(consumer, await partitions_of(bootstrap, [*names, OFFSETS_TOPIC]))
        people, records = People(), list[TopicRecord]()
        async for record in _all_of(consumer, began, kept, _only(ends, ours=True)):
            people.see(record)
            records.append(origin_counted_on(kept, topic_record(record)))
        states = [
            decode(record.key, record.value, record.timestamp / 1000)
            async for record in records_between(consumer, began, _only(ends, ours=False))
        ]
    commits = commits_counted_on(kept, (one for one in states if isinstance(one, Commit) and one.topic in _OURS))
    generations = tuple(state for state in states if isinstance(state, Generation))
    return KafkaLedger(tuple(records), commits, generations, people)


async def people_of(stack: Stack) -> People:
    """The people of an installation, and where they stand in its topics, whatever else these hold."""
    prefix, bootstrap = stack.addresses.topic_prefix, stack.bootstrap_servers
    names = [prefix + topic.name for topic in READ_TOPICS]
    people, everything = People(prefix), dict[TopicPartition, int]()
    async with reading(bootstrap) as consumer:
        ends = await ends_of(consumer, await partitions_of(bootstrap, names))
        async for record in records_between(consumer, everything, ends):
            people.see(record)
    return people


async def _all_of(consumer: Any, began: _Offsets, kept: Sequence[Kept], ends: _Offsets) -> AsyncIterator[Any]:
    for record in records_of(kept, began):
        yield record
    async for record in records_between(consumer, begins_of(kept, began), ends):
        yield counted_on(kept, record)


def _only(ends: _Offsets, *, ours: bool) -> _Offsets:
    return {part: end for part, end in ends.items() if (part.topic != OFFSETS_TOPIC) is ours}
