"""Reading partitions from an offset to their present end, without a group and without a commit."""

from collections.abc import AsyncGenerator, Collection, Mapping, Sequence
from typing import cast

from aiokafka import AIOKafkaConsumer, TopicPartition

from ringback_stream.consume.records import KafkaRecord
from ringback_stream.shared.read_stalled import ReadStalled

__all__ = ["Batches", "Offsets", "ends_of", "first_of", "poll_until"]

_POLL_MS = 500

Batches = Mapping[TopicPartition, Sequence[KafkaRecord]]
Offsets = Mapping[TopicPartition, int]


async def first_of(reader: AIOKafkaConsumer, partitions: Collection[TopicPartition]) -> Offsets:
    """The offset of the oldest record of each partition that is kept."""
    return cast("Offsets", await reader.beginning_offsets(list(partitions)))


async def ends_of(reader: AIOKafkaConsumer, partitions: Collection[TopicPartition]) -> Offsets:
    """The offset of the next record to come to each partition."""
    return cast("Offsets", await reader.end_offsets(list(partitions)))


async def poll_until(
    reader: AIOKafkaConsumer, begins: Offsets, ends: Offsets, *, at_once: int | None = None
) -> AsyncGenerator[Batches]:
    """Assign the partitions to a started reader and poll them until each has reached its end.

    What a poll brings is given as it is: it may be nothing, and may lie behind the end. So a reader that follows the
    topic goes on without a gap; who wants no more than was there leaves out the offsets behind `ends`.

    Args:
        reader: of no group.
        begins: the first offset to read of each partition. It is sought for each: a reset by `seek_to_beginning` would
            race with the one that aiokafka begins by itself.
        ends: the offset to reach in each partition.
        at_once: records of a poll at most.

    Raises:
        Transient: Kafka went away meanwhile and stays away.
    """
    reader.assign(list(ends))
    for partition, offset in begins.items():
        reader.seek(partition, offset)
    standstill = ReadStalled()
    while left := await _left(reader, ends):
        standstill.seen(left)
        yield cast("Batches", await reader.getmany(timeout_ms=_POLL_MS, max_records=at_once))


async def _left(reader: AIOKafkaConsumer, ends: Offsets) -> Offsets:
    """Offsets still to be passed, of the partitions that have not reached their end."""
    positions: Offsets = {one: await reader.position(one) for one in ends}
    return {one: end - positions[one] for one, end in ends.items() if positions[one] < end}
