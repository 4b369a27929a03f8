"""Kafka clients of the tools' own, each open while its block lasts. They are of no type: aiokafka has none."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

from aiokafka import AIOKafkaConsumer
from ringback_stream.compacted import stop_reader

__all__ = ["consumer"]


@asynccontextmanager
async def consumer(bootstrap_servers: str, *names: str, **options: Any) -> AsyncGenerator[Any]:
    """A consumer that commits only what it is told to; without a `group_id` it is of no group.

    Its end is no cancellation, though a fetch of it has failed a moment ago: see `stop_reader`. So it is when the event
    loop stood still for longer than a request may take, as that of a whole session of tests does between two of them.
    """
    client: Any = AIOKafkaConsumer(*names, bootstrap_servers=bootstrap_servers, enable_auto_commit=False, **options)
    try:
        await client.start()
        yield client
    finally:
        await stop_reader(client)
