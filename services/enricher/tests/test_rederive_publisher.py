"""The pace of a re-derivation and its room: no faster than asked for, few at a time, and stopped at once."""

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import pytest
from ringback_common.clock import SystemClock
from ringback_common.settings import KafkaSettings
from ringback_enricher.rederive.publisher import Publisher
from ringback_stream.publish.producer import Producer


@dataclass
class Bench:
    """Publishers over a producer that is never asked to write."""

    producer: Producer
    stop: asyncio.Event = field(default_factory=asyncio.Event)

    def publisher(self, max_rate: float) -> Publisher:
        """One of its own pace."""
        return Publisher(self.producer, SystemClock(), self.stop, max_rate)


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    """No broker is there, and none is needed."""
    producer = Producer(KafkaSettings(bootstrap_servers="127.0.0.1:1"))
    yield Bench(producer)
    await producer.stop()


async def test_turns_come_no_faster_than_asked_for(bench: Bench) -> None:
    """Thirty turns at a hundred a second take 0.3 s, of which a tenth may be caught up after a pause."""
    publisher = bench.publisher(100)
    began = time.monotonic()
    for _ in range(30):
        assert await publisher.turn()
    assert time.monotonic() - began >= 0.29
    await asyncio.sleep(0.3)
    began = time.monotonic()
    for _ in range(30):
        assert await publisher.turn()
    assert time.monotonic() - began >= 0.19


async def test_a_stop_ends_the_wait_for_a_turn(bench: Bench) -> None:
    """At one publication in a hundred seconds a stop is obeyed at once, and no further turn is given."""
    publisher = bench.publisher(0.01)
    waiting = asyncio.create_task(publisher.turn())
    await asyncio.sleep(0)
    bench.stop.set()
    assert not await asyncio.wait_for(waiting, 5)
    assert not await asyncio.wait_for(publisher.turn(), 5)


@pytest.mark.parametrize(("size", "fitting"), [(1000, 32), (3 * 1024 * 1024, 2), (100 * 1024 * 1024, 1)])
async def test_few_are_under_way_and_a_large_one_goes_alone(bench: Bench, size: int, fitting: int) -> None:
    """32 publications or 8 MiB of records; the next begins when one has left."""
    publisher = bench.publisher(1)
    for _ in range(fitting):
        await asyncio.wait_for(publisher.capacity.enter(size), 1)
    waiting = asyncio.create_task(publisher.capacity.enter(size))
    for _ in range(5):
        await asyncio.sleep(0)
    assert not waiting.done()
    publisher.capacity.leave(size)
    await asyncio.wait_for(waiting, 1)
