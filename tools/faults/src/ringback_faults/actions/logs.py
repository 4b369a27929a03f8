"""Topics that are deleted, and made anew, behind the back of who reads them."""

import asyncio
import time
from collections.abc import Mapping
from typing import Any, Literal

from aiokafka import TopicPartition
from ringback_local.polling import until
from ringback_local.servers import StartFailed
from ringback_local.topics import create_contract_topics

from ringback_faults.actions.absence import (
    GROUPS,
    Consuming,
    administered,
    committed_by,
    nothing_under_way,
    without_members,
)
from ringback_faults.actions.offsets import write_offsets
from ringback_faults.actions.registry import action
from ringback_faults.actions.service_report import RESTARTED, ServiceReport, metric_sum, metrics_of
from ringback_faults.collect.kept import Kept
from ringback_faults.collect.topic_dump import ends_of, partitions_of, reading, records_between
from ringback_faults.ledgers import Act
from ringback_faults.scene import Scene

__all__ = ["DeadLetterTopic", "drop_topic", "make_topic", "remake_topic"]

DeadLetterTopic = Literal["callrecords.internal.dead-letters.v1", "callrecords.restricted.dead-letters.v1"]
_LAST_WRITES_SECONDS = 1.0
"""The broker stops telling of a topic a moment before it stops taking writes to it; those go with it."""
_SEEN_SECONDS, _AGAIN_SECONDS, _FILLED_SECONDS = 30.0, 60.0, 60.0
_UNDER_WAY_SECONDS = 0.5
"""Seconds for the notifications that Graph had sent when it was stopped."""
_ASSIGNED = "ringback_stream_assigned_partitions"


@action("drop topic")
async def drop_topic(scene: Scene, name: DeadLetterTopic) -> None:
    """A topic of dead letters is deleted, with all it holds, while the load goes on.

    What a topic takes between the moment in which it is read and its deletion is in no ledger. So this is for topics
    without a writer so far; another topic can be deleted by `remake topic`, which waits until nothing is under way.

    Raises:
        StartFailed: poison was planted before; its dead letters may come at any moment.
    """
    if any(act.what == "poison" for act in scene.acts):
        raise StartFailed(f"{name} may be written to while it is deleted: drop it before any poison is planted")
    await _delete(scene, name)


async def _delete(scene: Scene, name: str) -> None:
    """Keep what a topic holds, then delete it; the caller sees to it that it has no writer."""
    at = time.time()
    ends, records = await _held(scene, name)
    scene.kept.append(Kept(time.time(), name, records, {part.partition: end for part, end in ends.items()}))
    async with administered(scene) as admin:
        await admin.delete_topics([name])
        while not (await admin.describe_topics([name]))[0]["error_code"]:  # noqa: ASYNC110 - the broker tells by asking
            await asyncio.sleep(0.05)
    await asyncio.sleep(_LAST_WRITES_SECONDS)
    scene.note(Act(at, time.time(), "drop topic", name))


@action("make topic")
async def make_topic(scene: Scene, name: str) -> None:
    """The topic is made again, empty, as the contract has it."""
    at = time.time()
    replicas = min(3, len(scene.stack.broker.nodes))
    await create_contract_topics(scene.stack.bootstrap_servers, replication=replicas, names=[name])
    scene.note(Act(at, time.time(), "make topic", name))


@action("remake topic")
async def remake_topic(scene: Scene, name: str, process: Consuming, *, stopped: bool = False, least: int = 0) -> None:
    """A topic is deleted and made anew while nothing is under way: its group has read it, so nothing is lost with it.

    Its reader is idle: `unready` is whether it said that it is not ready while the topic was gone, and `without` the
    seconds from the topic's return until it had all its partitions again. Or it is `stopped`: Kafka deletes the group's
    offsets with the topic, and they are written back as they were, above the ends of the new logs. What the next
    reader reports is in the figures of `ServiceReport`; `partitions` is how many had been read, `waiting` how many
    records, at `least` so many, it found in the new logs.
    """
    at = time.time()
    async with nothing_under_way(scene):
        detail = await (_under_nobody(scene, name, process, least) if stopped else _under_one(scene, name, process))
    scene.note(Act(at, time.time(), "remake topic", name, detail))


async def _under_nobody(scene: Scene, name: str, process: Consuming, least: int) -> Mapping[str, float]:
    report = ServiceReport.of(scene, process, RESTARTED)
    async with without_members(scene, process) as group:
        before = {part: offset for part, offset in (await committed_by(scene, group, name)).items() if offset}
        await _delete(scene, name)
        await make_topic(scene, name)
        waiting = await _filled(scene, name, least, before) if least else 0
        await write_offsets(scene, group, before)
    return {"partitions": float(len(before)), "waiting": float(waiting), **await report.compared(len(before))}


async def _filled(scene: Scene, name: str, least: int, before: Mapping[TopicPartition, int]) -> int:
    """Let Graph tell until so many records stand in the new logs.

    Raises:
        StartFailed: one has grown past the old offset: it then equals the old one, which is a known limit.
    """
    await scene.ask("PATCH", "delivery", {"paused": False})
    async with asyncio.timeout(_FILLED_SECONDS):
        while sum((await _ends(scene, name)).values()) < least:  # noqa: ASYNC110 - the broker tells by asking
            await asyncio.sleep(0.05)
    await scene.ask("PATCH", "delivery", {"paused": True})
    await asyncio.sleep(_UNDER_WAY_SECONDS)
    ends = await _ends(scene, name)
    if grown := [part for part, offset in before.items() if ends[part] >= offset]:
        raise StartFailed(f"{grown} grew past the old offsets; order more calls before, or fewer records to wait")
    return sum(ends.values())


async def _ends(scene: Scene, name: str) -> Mapping[TopicPartition, int]:
    async with reading(scene.stack.bootstrap_servers) as consumer:
        return await ends_of(consumer, await partitions_of(scene.stack.bootstrap_servers, [name]))


async def _under_one(scene: Scene, name: str, process: Consuming) -> Mapping[str, float]:
    await _delete(scene, name)
    unready = await until(lambda: name in scene.stack.processes[process].reason, _SEEN_SECONDS)
    await make_topic(scene, name)
    back = time.time()
    await scene.stack.ready(process, _AGAIN_SECONDS)
    await _assigned(scene, process)
    return {"unready": float(unready), "without": time.time() - back}


async def _assigned(scene: Scene, process: Consuming) -> None:
    """Wait until the one member has all partitions of its group; raises TimeoutError."""
    group, names = GROUPS[process]
    every = sum(name.partitions for name in names)
    async with asyncio.timeout(_AGAIN_SECONDS):
        while metric_sum(await metrics_of(scene, process), _ASSIGNED, group) < every:  # noqa: ASYNC110 - it tells by asking
            await asyncio.sleep(0.1)


async def _held(scene: Scene, name: str) -> tuple[Mapping[TopicPartition, int], list[Any]]:
    async with reading(scene.stack.bootstrap_servers) as consumer:
        ends = await ends_of(consumer, await partitions_of(scene.stack.bootstrap_servers, [name]))
        return ends, [record async for record in records_between(consumer, {}, ends)]
