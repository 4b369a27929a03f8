"""Reads topics between two offsets, and tells of each record what the oracle needs, never its payload.

It has a reader of its own on purpose: what judges the product must not read by the product's `ringback_stream.reading`,
whose mistake would then be invisible.
"""

import hashlib
import re
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import AbstractAsyncContextManager
from typing import Any, cast

import orjson
from aiokafka import TopicPartition
from ringback_events import topics
from ringback_events.topics import Topic
from ringback_local.kafka import clients

from ringback_faults.contents import (
    children_of,
    contents_of_call,
    contents_of_graph,
    contents_of_record,
    contents_of_session,
)
from ringback_faults.contract import split_key
from ringback_faults.ledgers import Contents, TopicRecord

__all__ = ["OFFSETS_TOPIC", "READ_TOPICS", "ends_of", "partitions_of", "reading", "records_between", "topic_record"]

Offsets = Mapping[TopicPartition, int]

OFFSETS_TOPIC = "__consumer_offsets"

READ_TOPICS: tuple[Topic, ...] = (
    *topics.FETCH_LANES,
    topics.LIFECYCLE,
    topics.INTERNAL_DEAD_LETTERS,
    topics.RECORDS,
    topics.RESTRICTED_DEAD_LETTERS,
    topics.CALLS,
    topics.SESSIONS,
)
"""What a row is judged by."""

_READER: Mapping[str, Callable[[Mapping[str, Any]], Contents]] = {
    topics.RECORDS.name: contents_of_record,
    topics.CALLS.name: contents_of_call,
    topics.SESSIONS.name: contents_of_session,
}
_MARK = re.compile(rb"mark-v([0-9]{1,9})")
_LONGEST_NUMBER = 19


def reading(bootstrap: str) -> AbstractAsyncContextManager[Any]:
    """A consumer of no group."""
    return clients.consumer(bootstrap, check_crcs=False, max_partition_fetch_bytes=4 << 20, fetch_max_wait_ms=20)


async def partitions_of(bootstrap: str, names: Iterable[str]) -> list[TopicPartition]:
    """All partitions of those of these topics that there are."""
    async with clients.admin(bootstrap) as admin:
        described = await admin.describe_topics(list(names))
    return [
        TopicPartition(topic["topic"], part["partition"])
        for topic in described
        if not topic["error_code"]
        for part in topic["partitions"]
    ]


async def ends_of(consumer: Any, partitions: list[TopicPartition]) -> dict[TopicPartition, int]:
    """The next offset of each partition."""
    return dict(await consumer.end_offsets(partitions)) if partitions else {}


async def records_between(consumer: Any, begins: Offsets, ends: Offsets) -> AsyncIterator[Any]:
    """Every record of each partition from its offset in `begins` up to, not including, that in `ends`.

    Where `begins` names no offset, or retention has removed the record there, from the oldest record that is left.
    """
    unread = {part for part, end in ends.items() if begins.get(part, 0) < end}
    if not unread:
        return
    consumer.assign(list(unread))
    oldest = await consumer.beginning_offsets(list(unread))
    for part in unread:
        consumer.seek(part, max(begins.get(part, 0), oldest[part]))
    while unread:
        for batch in (await consumer.getmany(timeout_ms=200)).values():
            for record in batch:
                if record.offset < ends[TopicPartition(record.topic, record.partition)]:
                    yield record
        unread = {part for part in unread if await consumer.position(part) < ends[part]}


def topic_record(record: Any) -> TopicRecord:
    """One record without its payload."""
    headers = {name: value or b"" for name, value in record.headers}
    value: bytes | None = record.value
    said = _shape(value) if value and record.topic in _READER else None
    graph = _graph(said) if record.topic == topics.RECORDS.name else None
    return TopicRecord(
        topic=record.topic,
        partition=record.partition,
        offset=record.offset,
        at=record.timestamp / 1000,
        event_id=_event_id(headers),
        digest=None if value is None else hashlib.sha256(value).digest(),
        size=len(value or b""),
        key=None if record.key is None else split_key(record.key),
        raw_key=record.key,
        version=_number(headers.get("ce_callversion")),
        revision=_number(headers.get("ce_callrevision")),
        headers=headers,
        children=None if graph is None else children_of(graph),
        marks=frozenset() if graph is None else frozenset(map(int, _MARK.findall(value or b""))),
        contents=None if said is None else _READER[record.topic](said),
        source=None if graph is None else contents_of_graph(graph),
    )


def _event_id(headers: Mapping[str, bytes]) -> bytes | None:
    return headers["ce_source"] + b" " + headers["ce_id"] if {"ce_source", "ce_id"} <= headers.keys() else None


def _number(value: bytes | None) -> int | None:
    return int(value) if value is not None and value.isdigit() and len(value) <= _LONGEST_NUMBER else None


def _shape(value: bytes) -> dict[str, Any] | None:
    """None for what is no JSON object: planted poison."""
    try:
        reported = orjson.loads(value)
    except orjson.JSONDecodeError:
        return None
    return cast("dict[str, Any]", reported) if isinstance(reported, dict) else None


def _graph(said: Mapping[str, Any] | None) -> dict[str, Any] | None:
    graph = None if said is None else said.get("graph")
    return cast("dict[str, Any]", graph) if isinstance(graph, dict) else None
