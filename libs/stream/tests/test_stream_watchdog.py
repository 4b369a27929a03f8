"""A consumer that stands still ends its process; one whose Kafka is away waits for it."""

import asyncio
from typing import Any

import pytest
from ringback_common.clock import SystemClock
from ringback_common.settings import KafkaSettings
from ringback_stream import watchdog
from ringback_stream.connection import somebody_listens
from ringback_stream.watchdog import Standstill, watch


class Behind:
    """A consumer and its assignment: a partition, records to come, nothing in hand, nothing taken in."""

    partitions = (0,)
    unfinished = 0
    progressed_at = 0.0

    @property
    def client(self) -> "Behind":
        """Aiokafka's consumer."""
        return self

    @property
    def watermarks(self) -> "Behind":
        """Of the assignment."""
        return self

    def assignment(self) -> tuple[int]:
        """One partition."""
        return (0,)

    def behind(self) -> bool:
        """There is something to come."""
        return True


async def test_time_in_which_no_broker_listens_does_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    """However long it is away; from its return on the consumer has the whole patience to find it."""
    monkeypatch.setattr(watchdog, "_LOOK_EVERY", 0.01)
    there, still = asyncio.Event(), Behind()
    consumer: Any = still

    async def listens() -> bool:
        return there.is_set()

    watching = asyncio.create_task(watch(consumer, consumer, SystemClock(), listens, patience=0.3))
    await asyncio.sleep(0.6)
    assert not watching.done()
    there.set()
    await asyncio.sleep(0.15)
    assert not watching.done()
    with pytest.raises(Standstill):
        await asyncio.wait_for(watching, 5)


async def test_who_takes_a_connection_listens() -> None:
    """One of the bootstrap servers is enough; what is behind the port is not asked."""
    server = await asyncio.start_server(lambda _reader, writer: writer.close(), "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    assert await somebody_listens(KafkaSettings(bootstrap_servers=f"127.0.0.1:1,127.0.0.1:{port}"))
    server.close()
    await server.wait_closed()
    assert not await somebody_listens(KafkaSettings(bootstrap_servers=f"127.0.0.1:1,127.0.0.1:{port}"))
