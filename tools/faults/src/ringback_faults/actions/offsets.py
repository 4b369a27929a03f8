"""Mistakes with topics and offsets that operators make."""

import asyncio
import time
from typing import Any, cast

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError
from ringback_events import topics
from ringback_events.topics import Topic
from ringback_local.servers import StartFailed
from ringback_local.topics import create_contract_topics

from ringback_faults.actions.busy import again_ready
from ringback_faults.actions.registry import action
from ringback_faults.ledgers import Act
from ringback_faults.scene import Scene

__all__ = ["drop_topic", "make_topic", "reset_offsets"]

_GROUPS: dict[str, tuple[str, tuple[Topic, ...]]] = {
    "enricher": ("ringback-enricher", topics.FETCH_LANES),
    "store": ("ringback-sink-store", (topics.RECORDS,)),
}
_WINDOW_SECONDS = 20.0
_LAST_WRITES_SECONDS = 1.0
"""The broker stops telling of a topic a moment before it stops taking writes to it; those go with it."""


@action("reset offsets")
async def reset_offsets(scene: Scene, process: str) -> None:
    """Set a group back to where the row began, in the moment between the end of its member and the next."""
    at = time.time()
    group, names = _GROUPS[process]
    pid = scene.stack.processes[process].pid
    scene.stack.supervisor.terminate(process)
    scene.note(Act(at, at, "terminate", process, {"pid": pid}))
    reset = await _set_back(scene, group, names)
    await again_ready(scene, process, pid)
    scene.note(Act(at, time.time(), "reset offsets", process, {"records": reset}))


async def _set_back(scene: Scene, group: str, names: tuple[Topic, ...]) -> int:
    """How many records will be delivered again. The broker takes the offsets while the group has no member."""
    consumer = cast("Any", AIOKafkaConsumer)(
        bootstrap_servers=scene.stack.bootstrap_servers, group_id=group, enable_auto_commit=False
    )
    await consumer.start()
    try:
        parts = [TopicPartition(name.name, number) for name in names for number in range(name.partitions)]
        consumer.assign(parts)
        ends = await consumer.end_offsets(parts)
        told = await consumer.offsets_for_times(dict.fromkeys(parts, int(scene.started * 1000)))
        begins = {part: ends[part] if told[part] is None else told[part].offset for part in parts}
        deadline = time.monotonic() + _WINDOW_SECONDS
        while True:
            try:
                await consumer.commit(begins)
            except KafkaError:
                if time.monotonic() > deadline:
                    raise StartFailed(f"{group} was never without a member") from None
                await asyncio.sleep(0.01)
            else:
                return sum(ends[part] - begins[part] for part in parts)
    finally:
        await consumer.stop()


@action("drop topic")
async def drop_topic(scene: Scene, name: str) -> None:
    """A topic is deleted, with all it holds."""
    at = time.time()
    admin = cast("Any", AIOKafkaAdminClient)(bootstrap_servers=scene.stack.bootstrap_servers)
    await admin.start()
    try:
        await admin.delete_topics([name])
        while not (await admin.describe_topics([name]))[0]["error_code"]:  # noqa: ASYNC110 - the broker tells by asking
            await asyncio.sleep(0.05)
    finally:
        await admin.close()
    await asyncio.sleep(_LAST_WRITES_SECONDS)
    scene.note(Act(at, time.time(), "drop topic", name))


@action("make topic")
async def make_topic(scene: Scene, name: str) -> None:
    """The topic is made again, empty, as the contract has it."""
    at = time.time()
    replicas = min(3, len(scene.stack.broker.nodes))
    await create_contract_topics(scene.stack.bootstrap_servers, replication=replicas, names=[name])
    scene.note(Act(at, time.time(), "make topic", name))
