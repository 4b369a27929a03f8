"""Closing after a background task has failed: everything else is closed too, and asyncio has nothing to complain of."""

import asyncio
import gc
from collections.abc import Callable, Mapping
from typing import Any, cast

import pytest
from aiokafka import TopicPartition
from aiokafka.structs import ConsumerRecord
from ringback_common.settings import KafkaSettings
from ringback_stream.publish.producer import Producer
from ringback_stream.shared import control
from ringback_stream.shared.control import ControlTable

KAFKA = KafkaSettings(bootstrap_servers="nowhere:1")


class BugError(Exception):
    """An error that no handler expects."""


class _Connection:
    async def close(self) -> None:
        """There is none."""


class _Reader:
    """A consumer of an empty control topic whose first poll after the start has a bug."""

    def __init__(self) -> None:
        self.stopped = False
        self._client = _Connection()

    def assign(self, partitions: list[TopicPartition]) -> None:
        """Take the partitions."""

    async def start(self) -> None:
        """Connect."""

    async def stop(self) -> None:
        """Disconnect."""
        self.stopped = True

    async def beginning_offsets(self, partitions: list[TopicPartition]) -> Mapping[TopicPartition, int]:
        """There is nothing else."""
        return dict.fromkeys(partitions, 0)

    def seek(self, partition: TopicPartition, offset: int) -> None:
        """It is there already."""

    async def end_offsets(self, partitions: list[TopicPartition]) -> Mapping[TopicPartition, int]:
        """Empty."""
        return dict.fromkeys(partitions, 0)

    async def position(self, _: TopicPartition) -> int:
        """At the end."""
        return 0

    async def getmany(self, *, timeout_ms: int) -> Mapping[TopicPartition, list[ConsumerRecord[bytes, bytes]]]:
        """Fail."""
        raise BugError(timeout_ms)


async def complaints(of: Callable[[], Any]) -> list[dict[str, Any]]:
    """What asyncio complains of while something runs and is forgotten."""
    found: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: found.append(context))
    await of()
    gc.collect()
    await asyncio.sleep(0)
    return found


def _always(reader: _Reader) -> Callable[..., _Reader]:
    def opened(*_: object, **__: object) -> _Reader:
        return reader

    return opened


async def test_a_control_table_whose_following_failed_stops_its_reader(monkeypatch: pytest.MonkeyPatch) -> None:
    """It raises nothing while it closes: the producer behind it must be closed, too."""
    reader = _Reader()
    monkeypatch.setattr(control, "open_reader", _always(reader))

    async def follow() -> None:
        table = ControlTable(KAFKA, cast("Producer", None))  # it writes nothing
        await table.start()
        await asyncio.sleep(0.01)
        await table.stop()

    assert await complaints(follow) == []
    assert reader.stopped
