"""`python -m ringback_local.last`: the newest values of a topic, one a line, for who has no Kafka tools at hand."""

import argparse
import asyncio
import logging
import sys
from collections.abc import Iterable, Sequence
from typing import Any

from aiokafka import TopicPartition
from aiokafka.errors import KafkaError
from ringback_events.topics import Topic, topic

from ringback_local.kafka import clients

__all__ = ["last", "main"]

_POLL_MS = 1000


async def last(bootstrap_servers: str, topic: Topic, count: int, prefix: str = "") -> list[bytes]:
    """The newest values by time, oldest first, at most so many; what comes during the reading is not waited for.

    Raises:
        KafkaError: Kafka does not answer.
    """
    async with clients.consumer(bootstrap_servers, auto_offset_reset="earliest") as consumer:
        places = [TopicPartition(prefix + topic.name, number) for number in range(topic.partitions)]
        return _newest(await _tails(consumer, places, count), count)


async def _tails(consumer: Any, places: Sequence[TopicPartition], count: int) -> list[Any]:
    """The last records of each partition."""
    consumer.assign(places)
    begins, ends = await consumer.beginning_offsets(places), await consumer.end_offsets(places)
    for place in places:
        consumer.seek(place, max(begins[place], ends[place] - count))
    records: list[Any] = []
    while any([await consumer.position(place) < ends[place] for place in places]):
        batches = await consumer.getmany(timeout_ms=_POLL_MS)
        records += [record for place, batch in batches.items() for record in batch if record.offset < ends[place]]
    return records


def _newest(records: Iterable[Any], count: int) -> list[bytes]:
    """Time orders records of several partitions, for nothing else does; a value that is null is no event."""
    ordered = sorted(records, key=lambda record: (record.timestamp, record.partition, record.offset))
    return [record.value for record in ordered if record.value is not None][-count:]


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit codes: 0, 1 when Kafka does not answer, 2 when there is no such topic."""
    parser = argparse.ArgumentParser(prog="topic", description="The newest events of a topic, one a line.")
    parser.add_argument("servers", help=argparse.SUPPRESS)
    parser.add_argument("prefix", help=argparse.SUPPRESS)
    parser.add_argument("topic", help="as the contract names it: callrecords.open.calls.v1")
    parser.add_argument("-n", type=int, default=5, dest="count", metavar="N", help="how many (5)")
    given = parser.parse_args(arguments)
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # one sentence, below, says what failed
    try:
        values = asyncio.run(last(given.servers, topic(given.topic), max(1, given.count), given.prefix))
    except KeyError:
        sys.stderr.write(f"There is no topic {given.topic}.\n")
        return 2
    except KafkaError as failure:
        sys.stderr.write(f"Kafka does not answer: {type(failure).__name__}.\n")
        return 1
    sys.stdout.buffer.writelines(value + b"\n" for value in values)
    return 0


if __name__ == "__main__":
    sys.exit(main())
