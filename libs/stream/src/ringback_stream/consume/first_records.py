"""Reading one record of each of several partitions, for its time stamp, without a group."""

from collections.abc import AsyncGenerator, Mapping
from typing import NamedTuple, cast

from aiokafka import AIOKafkaConsumer, TopicPartition
from ringback_common.settings import KafkaSettings

from ringback_stream.reading import Batches, ends_of
from ringback_stream.shared.compacted import open_reader, stop_reader

__all__ = ["FirstRecord", "read_first_records"]

_POLL_MS = 20


class FirstRecord(NamedTuple):
    """The first record at an offset or above it.

    Attributes:
        offset: its own; where there is none, the log's end.
        timestamp_ms: the broker's; None where there is none.
    """

    offset: int
    timestamp_ms: int | None


async def read_first_records(
    kafka: KafkaSettings, offsets: Mapping[TopicPartition, int]
) -> AsyncGenerator[tuple[TopicPartition, FirstRecord]]:
    """Read the first record of each partition from an offset on, one partition after the other to bound the memory.

    Where retention has passed the offset, the log's oldest record is read. Nothing connects for no partition.

    Raises:
        KafkaError: no broker answers.
    """
    if not offsets:
        return
    reader = open_reader(kafka, wait_ms=_POLL_MS)
    try:
        await reader.start()
        for place, offset in offsets.items():
            yield place, await _first_record(reader, place, offset)
    finally:
        await stop_reader(reader)


async def _first_record(reader: AIOKafkaConsumer, place: TopicPartition, offset: int) -> FirstRecord:
    reader.assign([place])
    reader.seek(place, offset)
    end = (await ends_of(reader, [place]))[place]
    while (position := await reader.position(place)) < end:
        polled = cast("Batches", await reader.getmany(timeout_ms=_POLL_MS, max_records=1))
        for record in polled.get(place, ()):
            return FirstRecord(record.offset, record.timestamp)
    return FirstRecord(position, None)
