"""Reads topics from a moment to their present end, without a group and without a trace."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any, cast

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError
from pydantic import BaseModel, ValidationError
from ringback_common.errors import Transient
from ringback_common.outcomes import Received
from ringback_common.settings import KafkaSettings
from ringback_events.dead_letters import DECISIONS, DONE, LetterPlace, letter_place
from ringback_events.headers import read_headers
from ringback_events.topics import AUDIT
from ringback_stream.consume.records import received
from ringback_stream.reading import Offsets, ends_of, first_of, poll_until
from ringback_stream.shared.compacted import partition_numbers, stop_reader
from ringback_stream.shared.connection import client_options, full_name

from ringback_cli.core.letters import letter_of

__all__ = ["LARGEST", "connected", "decisions", "scan"]

LARGEST = 9 * 1024 * 1024
"""`max.message.bytes` of the restricted dead letters."""
_AT_ONCE = 200


@asynccontextmanager
async def connected(kafka: KafkaSettings) -> AsyncGenerator[Any]:
    """A consumer for the length of a command.

    Raises:
        Transient: Kafka does not answer.
    """
    untyped = cast("Any", AIOKafkaConsumer)
    consumer = untyped(
        **client_options(kafka), group_id=None, enable_auto_commit=False, max_partition_fetch_bytes=LARGEST,
        auto_offset_reset="earliest",  # where retention takes what is being read, the reading goes on behind it
    )  # fmt: skip
    try:
        await consumer.start()
        yield consumer
    except KafkaError as failed:
        raise Transient(f"Kafka at {kafka.bootstrap_servers} cannot be read: {type(failed).__name__}.") from None
    finally:
        await stop_reader(consumer)


async def scan(kafka: KafkaSettings, topic: str, since: datetime | None = None) -> AsyncGenerator[Received]:
    """The records of a topic that the broker took since a moment, up to its end when the reading began.

    Raises:
        ConfigError: the topic does not exist.
        Transient: Kafka does not answer.
    """
    async with connected(kafka) as consumer:
        numbers = await partition_numbers(kafka, topic)
        assigned = [TopicPartition(full_name(kafka, topic), number) for number in sorted(numbers)]
        ends = await ends_of(consumer, assigned)
        begins = await _begins(consumer, ends, since)
        async for batches in poll_until(consumer, begins, ends, at_once=_AT_ONCE):
            for one, records in batches.items():
                for record in records:
                    if record.offset < ends[one]:
                        yield received(topic, record)


async def _begins(consumer: Any, ends: Offsets, since: datetime | None) -> Offsets:
    if since is None:
        return await first_of(consumer, ends)
    found = await consumer.offsets_for_times(dict.fromkeys(ends, int(since.timestamp() * 1000)))
    return {one: ends[one] if at is None else at.offset for one, at in found.items()}


async def decisions(kafka: KafkaSettings, since: datetime | None) -> dict[LetterPlace, datetime]:
    """When each dead letter was last released or discarded, by the audit trail since a moment.

    Raises:
        ConfigError: the audit topic does not exist.
        Transient: Kafka does not answer.
    """
    decided: dict[LetterPlace, datetime] = {}
    async for one in scan(kafka, AUDIT.name, since):
        if read_headers(one.headers).subject not in DECISIONS:
            continue
        at = letter_of(one).at
        for place in map(letter_place, _done_to(one.value)):
            if place is not None:
                decided[place] = max(at, decided.get(place, at))
    return decided


class _Decided(BaseModel):
    """What counts of an audit entry, whatever a later release adds to it."""

    targets: list[str]
    outcome: str


def _done_to(value: bytes | None) -> Sequence[str]:
    """The targets of an entry; none if it cannot be read, or says of nothing that it is done."""
    try:
        entry = _Decided.model_validate_json(value or b"")
    except ValidationError:
        return ()
    return entry.targets if entry.outcome == DONE else ()
