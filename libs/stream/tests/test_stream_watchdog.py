"""A consumer that stands still ends its process; one whose Kafka is away waits for it."""

import asyncio
from typing import Any

import pytest
from ringback_common.clock import SystemClock
from ringback_common.settings import KafkaSettings
from ringback_stream import watchdog
from ringback_stream.connection import most_listen
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


async def test_kafka_is_there_when_most_of_its_servers_take_a_connection() -> None:
    """One of three is not enough: a partition may have no leader. What is behind the port is not asked."""
    server = await asyncio.start_server(lambda _reader, writer: writer.close(), "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    there, away = f"127.0.0.1:{port}", "127.0.0.1:1"
    assert await most_listen(KafkaSettings(bootstrap_servers=there))
    assert await most_listen(KafkaSettings(bootstrap_servers=f"{there}, {away}, {there}"))
    assert not await most_listen(KafkaSettings(bootstrap_servers=f"{away},{there},{away}"))
    server.close()
    await server.wait_closed()
    assert not await most_listen(KafkaSettings(bootstrap_servers=there))


async def test_a_server_without_a_port_is_one_at_kafka_s_own() -> None:
    """As the client takes it; nobody listens there on this machine's discard address."""
    assert not await most_listen(KafkaSettings(bootstrap_servers="127.0.0.2"))
