"""Mistakes with a group's offsets that operators make."""

import asyncio
import time
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from typing import Any

from aiokafka import TopicPartition
from aiokafka.errors import KafkaError
from ringback_local.kafka import clients
from ringback_local.servers import StartFailed

from ringback_faults.actions.absence import Consuming, group_of, partitions_of, without_members
from ringback_faults.actions.busy import again_ready
from ringback_faults.actions.registry import action
from ringback_faults.actions.service_report import RESTARTED, ServiceReport
from ringback_faults.collect.group_offsets import MARK
from ringback_faults.ledgers import Act
from ringback_faults.scene import Scene

__all__ = ["reset_offsets", "set_offsets", "write_offsets"]

_WINDOW_SECONDS = 20.0


@action("reset offsets")
async def reset_offsets(scene: Scene, process: str) -> None:
    """Set a group back to where the row began, in the moment between the end of its member and the next."""
    at = time.time()
    group = group_of(scene, process)
    pid = scene.stack.processes[process].pid
    scene.stack.supervisor.terminate(process)
    scene.note(Act(at, at, "terminate", process, {"pid": pid}))
    records, written = await _set_back(scene, group, partitions_of(scene, process))
    await again_ready(scene, process, pid)
    detail: dict[str, float | str] = {"group": group, "written": written, "records": records}
    scene.note(Act(at, time.time(), "reset offsets", process, detail))


@action("set offsets")
async def set_offsets(scene: Scene, process: Consuming, beyond: int = 1_000_000) -> None:
    """Set a group's offsets so far beyond the ends of its logs as a restore that failed leaves them; it has no member.

    `records` is how many there are to be read again; what the next member reports is in the figures of `ServiceReport`.
    """
    at = time.time()
    report = ServiceReport.of(scene, process, RESTARTED)
    async with without_members(scene, process) as group, _client_of(scene, group) as consumer:
        ends = await consumer.end_offsets(partitions_of(scene, process))
        written = await _write(consumer, group, {part: end + beyond for part, end in ends.items()})
    reported = await report.compared(len(ends))
    detail = {"group": group, "written": written, "partitions": len(ends), "records": sum(ends.values()), **reported}
    scene.note(Act(at, time.time(), "set offsets", process, detail))


async def write_offsets(scene: Scene, group: str, offsets: Mapping[TopicPartition, int]) -> None:
    """Set a group's offsets while it has no member; raises StartFailed if it has one all the time."""
    async with _client_of(scene, group) as consumer:
        await _write(consumer, group, offsets)


async def _write(consumer: Any, group: str, offsets: Mapping[TopicPartition, int]) -> str:
    """When they were written, Unix seconds; a text, for evidence adds up the numbers of a detail."""
    marked = {part: (offset, MARK) for part, offset in offsets.items()}
    consumer.assign(list(marked))
    try:
        async with asyncio.timeout(_WINDOW_SECONDS):
            while not await _taken(consumer, marked):  # noqa: ASYNC110 - the broker tells by asking
                await asyncio.sleep(0.01)
            return f"{time.time():.6f}"
    except TimeoutError:
        raise StartFailed(f"{group} was never without a member") from None


async def _taken(consumer: Any, offsets: Mapping[TopicPartition, tuple[int, str]]) -> bool:
    try:
        await consumer.commit(offsets)
    except KafkaError:
        return False
    return True


async def _set_back(scene: Scene, group: str, parts: list[TopicPartition]) -> tuple[int, str]:
    """How many records will be delivered again, and when the offsets were written."""
    async with _client_of(scene, group) as consumer:
        ends = await consumer.end_offsets(parts)
        stated = await consumer.offsets_for_times(dict.fromkeys(parts, int(scene.started * 1000)))
        begins = {part: ends[part] if stated[part] is None else stated[part].offset for part in parts}
        written = await _write(consumer, group, begins)
    return sum(ends[part] - begins[part] for part in parts), written


def _client_of(scene: Scene, group: str) -> AbstractAsyncContextManager[Any]:
    return clients.consumer(scene.stack.bootstrap_servers, group_id=group)
