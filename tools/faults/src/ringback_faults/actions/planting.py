"""Records that the harness itself writes to Ringback's topics, past the webhook and past the enricher."""

import time
from collections.abc import AsyncGenerator, Awaitable, Mapping
from contextlib import asynccontextmanager
from typing import Any, cast

from aiokafka import AIOKafkaProducer

from ringback_faults.contract import partition_of
from ringback_faults.ledgers import Act
from ringback_faults.scene import Scene

__all__ = ["Planter", "planting"]

_LARGEST_REQUEST = 16 * 1024 * 1024


class Planter:
    """Writes records and puts each on record."""

    def __init__(self, scene: Scene, producer: Any) -> None:
        self._scene = scene
        self._producer = producer

    async def plant(
        self, name: str, key: bytes, value: bytes | None, headers: Mapping[str, bytes], *, reason: str = ""
    ) -> None:
        """Write a record where its key belongs.

        Args:
            name: the topic.
            key: of the record.
            value: None is a tombstone.
            headers: as they are.
            reason: with which it must be dead-lettered; empty if it is to be worked on like any other.
        """
        at = time.time()
        reported = await (await self.send(name, key, value, headers))
        place: dict[str, float | str] = {"partition": str(reported.partition), "offset": str(reported.offset)}
        what, detail = ("poison", {**place, "reason": reason}) if reason else ("plant", place)
        self._scene.note(Act(at, time.time(), what, name, detail))

    async def send(self, name: str, key: bytes, value: bytes | None, headers: Mapping[str, bytes]) -> Awaitable[Any]:
        """Begin to write a record where its key belongs, for many at a time; not put on record. Await the answer."""
        written: Awaitable[Any] = await self._producer.send(
            name,
            key=key,
            value=value,
            headers=list(headers.items()),
            partition=partition_of(name, key),
        )
        return written


@asynccontextmanager
async def planting(scene: Scene) -> AsyncGenerator[Planter]:
    """A producer of the harness's own."""
    producer = cast("Any", AIOKafkaProducer)(
        bootstrap_servers=scene.stack.bootstrap_servers, compression_type="zstd", max_request_size=_LARGEST_REQUEST
    )
    await producer.start()
    try:
        yield Planter(scene, producer)
    finally:
        await producer.stop()
