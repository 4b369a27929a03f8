"""Kafka clients of the tools' own, each open while its block lasts. They are of no type: aiokafka has none."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any, cast

from aiokafka import AIOKafkaConsumer
from aiokafka.admin import AIOKafkaAdminClient
from ringback_stream.shared.compacted import stop_reader

__all__ = ["admin", "consumer"]


@asynccontextmanager
async def consumer(bootstrap_servers: str, *names: str, **options: Any) -> AsyncGenerator[Any]:
    """A started consumer without automatic commits; without a `group_id` it is of no group.

    It is closed by `stop_reader`: `AIOKafkaConsumer.stop` raises CancelledError if a fetch has just failed, e.g.
    because the event loop stood still for longer than a request may take, as it does between two tests of a session.
    """
    client: Any = AIOKafkaConsumer(*names, bootstrap_servers=bootstrap_servers, enable_auto_commit=False, **options)
    try:
        await client.start()
        yield client
    finally:
        await stop_reader(client)


@asynccontextmanager
async def admin(bootstrap_servers: str) -> AsyncGenerator[Any]:
    """A started admin client."""
    client = cast("Any", AIOKafkaAdminClient)(bootstrap_servers=bootstrap_servers)
    await client.start()
    try:
        yield client
    finally:
        await client.close()
