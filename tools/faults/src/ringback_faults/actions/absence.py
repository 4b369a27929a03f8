"""Waiting until a consumer group has no member, or until no work is left anywhere, and keeping it so for a while.

Both are asked of the broker and of the simulator, never of the services under test.
"""

import asyncio
import time
from collections.abc import AsyncGenerator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, Literal

from aiokafka import TopicPartition
from ringback_events import topics
from ringback_events.topics import Topic
from ringback_local.kafka import clients
from ringback_local.servers import StartFailed

from ringback_faults.actions.busy import again_ready, respawned
from ringback_faults.contract import ENRICHER, SINK
from ringback_faults.ledgers import Act
from ringback_faults.scene import Scene

__all__ = [
    "GROUPS",
    "Consuming",
    "administered",
    "committed_by",
    "group_of",
    "nothing_under_way",
    "partitions_of",
    "without_members",
]

Consuming = Literal["enricher", "store"]
GROUPS: Mapping[str, tuple[str, tuple[Topic, ...]]] = {
    "enricher": (ENRICHER, topics.FETCH_LANES),
    "store": (SINK, (topics.RECORDS,)),
}
"""Process → its group and the topics that it reads, as an installation without a prefix names them."""
_EMPTY_SECONDS = 20.0
_QUIET_CHECKS, _QUIET_SECONDS = 8, 120.0
"""Two seconds in a row without a request to Graph and without a publication."""


def group_of(scene: Scene, process: str) -> str:
    """The group of a process as the broker knows it: the installation's topic prefix stands before it."""
    return scene.stack.addresses.topic_prefix + GROUPS[process][0]


def partitions_of(scene: Scene, process: str) -> list[TopicPartition]:
    """All partitions that a process reads, as the broker knows them."""
    prefix, (_, names) = scene.stack.addresses.topic_prefix, GROUPS[process]
    return [TopicPartition(prefix + name.name, number) for name in names for number in range(name.partitions)]


def administered(scene: Scene) -> AbstractAsyncContextManager[Any]:
    """An admin client."""
    return clients.admin(scene.stack.bootstrap_servers)


@asynccontextmanager
async def without_members(scene: Scene, process: Consuming) -> AsyncGenerator[str]:
    """End a process with SIGTERM and hold the next one still before it joins; yields the group, which is empty.

    After the block the next one goes on, and is ready.

    Raises:
        StartFailed: the group kept a member.
    """
    at, pid = time.time(), scene.stack.processes[process].pid
    scene.stack.supervisor.terminate(process)
    scene.note(Act(at, at, "terminate", process, {"pid": pid}))
    await respawned(scene, process, pid)
    scene.stack.pause(process)
    try:
        await _empty(scene, group_of(scene, process))
        yield group_of(scene, process)
    finally:
        scene.stack.resume(process)
    await again_ready(scene, process, pid)


async def _empty(scene: Scene, group: str) -> None:
    deadline = time.monotonic() + _EMPTY_SECONDS
    async with administered(scene) as admin:
        while (state := _state_of(await admin.describe_consumer_groups([group]))) != "Empty":
            if time.monotonic() > deadline:
                raise StartFailed(f"{group} was never without a member: it is {state}")
            await asyncio.sleep(0.1)


def _state_of(described: list[Any]) -> str:
    return str(described[0].to_object()["groups"][0]["state"])


async def committed_by(scene: Scene, group: str, name: str) -> dict[TopicPartition, int]:
    """The offsets a group has committed in a topic."""
    async with administered(scene) as admin:
        reported = await admin.list_consumer_group_offsets(group)
    return {part: held.offset for part, held in reported.items() if part.topic == name and held.offset >= 0}


@asynccontextmanager
async def nothing_under_way(scene: Scene) -> AsyncGenerator[None]:
    """Nothing is notified, fetched or stored while the block lasts.

    The simulator sends no notification until the block ends; the block begins once both groups have committed up to
    the ends of their topics for two seconds.

    Raises:
        TimeoutError: they had not after two minutes.
    """
    await scene.ask("PATCH", "delivery", {"paused": True})
    try:
        await _settled(scene)
        yield
    finally:
        await scene.ask("PATCH", "delivery", {"paused": False})


async def _settled(scene: Scene) -> None:
    checks = 0
    async with asyncio.timeout(_QUIET_SECONDS):
        while checks < _QUIET_CHECKS:
            checks = 0 if any((await scene.lags.by_lane()).values()) else checks + 1
            await asyncio.sleep(0.25)
