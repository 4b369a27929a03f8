"""Faults of a Kafka of three brokers: its leaders one after another, and its majority at once."""

import asyncio
import time

from ringback_events import topics
from ringback_local.kafka import clients

from ringback_faults.actions.registry import action
from ringback_faults.ledgers import Act
from ringback_faults.scene import Scene

__all__ = ["chase_leader", "lose_majority"]

_READY_SECONDS = 180.0


@action("chase leader")
async def chase_leader(scene: Scene, times: int = 2, down: float = 1.0) -> None:
    """SIGKILL to whichever broker leads most of the webhook's topic, up again, and the next leader."""
    for _ in range(times):
        leader = await _leader(scene)
        broker, at = scene.stack.broker.nodes[leader], time.time()
        await asyncio.to_thread(broker.kill)
        await asyncio.sleep(down)
        broker.spawn()  # in this thread: a child dies with the thread that started it
        await asyncio.to_thread(broker.wait_ready, _READY_SECONDS)
        scene.note(Act(at, time.time(), "kill broker", "broker", {"node": leader}))


@action("lose majority")
async def lose_majority(scene: Scene, seconds: float = 8.0) -> None:
    """Two of three brokers die: no record may be acknowledged, for one broker alone would have it."""
    dying, at = scene.random.sample(range(3), 2), time.time()
    nodes = [scene.stack.broker.nodes[number] for number in dying]
    for node in nodes:
        await asyncio.to_thread(node.kill)
    await asyncio.sleep(seconds)
    for node in nodes:
        node.spawn()
    for node in nodes:
        await asyncio.to_thread(node.wait_ready, _READY_SECONDS)
    scene.note(Act(at, time.time(), "kill broker", "broker", {"nodes": "+".join(map(str, dying)), "majority": 1}))


async def _leader(scene: Scene) -> int:
    """The place, among the brokers, of the one that leads most partitions."""
    async with clients.admin(scene.stack.bootstrap_servers) as admin:
        [described] = await admin.describe_topics([scene.stack.addresses.topic_prefix + topics.FETCH.name])
    leaders = [part["leader"] for part in described["partitions"]]
    return max(set(leaders), key=leaders.count) - 1  # nodes are numbered from 1
