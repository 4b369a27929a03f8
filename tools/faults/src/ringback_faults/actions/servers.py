"""Faults of what Ringback stands on: the broker and the database go away and come back."""

import asyncio
import time
from typing import Literal

from ringback_local.polling import until

from ringback_faults.actions.busy import until_busy
from ringback_faults.actions.registry import action
from ringback_faults.actions.store import given_up, more_given_up
from ringback_faults.ledgers import Act
from ringback_faults.scene import Scene

__all__ = ["bounce_broker", "bounce_database", "freeze_broker", "freeze_database"]

_BROKER_SECONDS = 120.0
"""A killed broker reads its logs anew before it answers."""
_MET_SECONDS = 5.0
Manner = Literal["kill", "stop"]


@action("bounce broker")
async def bounce_broker(scene: Scene, how: Manner = "kill", down: float = 2.0, times: int = 1, node: int = 0) -> None:
    """A node goes away for `down` seconds, suddenly or in order, and comes back with its data."""
    broker = scene.stack.broker.nodes[node]
    for _ in range(times):
        at = time.time()
        await asyncio.to_thread(broker.kill if how == "kill" else broker.stop)
        await asyncio.sleep(down)
        broker.spawn()  # in this thread: a child dies with the thread that started it
        await asyncio.to_thread(broker.wait_ready, _BROKER_SECONDS)
        scene.note(Act(at, time.time(), "bounce", "broker", {"node": node, "how": how, "down": down}))


@action("bounce database")
async def bounce_database(scene: Scene, how: Manner = "kill", down: float = 2.0, times: int = 1) -> None:
    """PostgreSQL goes away for `down` seconds, suddenly or in order, and comes back with its data.

    It goes while the store has records in hand, and comes back when the store has met that, or after 5 s more: it may
    be asleep between two attempts. `given_up` is how many transactions the store gave up for it.
    """
    postgres, before = scene.stack.postgres, None

    async def met() -> bool:
        return more_given_up(before, await given_up(scene)) > 0

    for _ in range(times):
        await until_busy(scene, "store")
        at, before = time.time(), await given_up(scene)
        await asyncio.to_thread(postgres.kill if how == "kill" else postgres.stop)
        await asyncio.sleep(down)
        await until(met, _MET_SECONDS)
        postgres.start()  # in this thread, and it takes a fraction of a second
        detail = {"how": how, "down": down, "given_up": more_given_up(before, await given_up(scene))}
        scene.note(Act(at, time.time(), "bounce", "database", detail))


@action("freeze broker")
async def freeze_broker(scene: Scene, seconds: float = 5.0, node: int = 0) -> None:
    """SIGSTOP to a node: connections stay open and no request is answered."""
    at = time.time()
    scene.stack.broker.nodes[node].pause()
    try:
        await asyncio.sleep(seconds)
    finally:
        scene.stack.broker.nodes[node].resume()
    scene.note(Act(at, time.time(), "freeze", "broker", {"node": node, "seconds": seconds}))


@action("freeze database")
async def freeze_database(scene: Scene, seconds: float = 5.0) -> None:
    """SIGSTOP to PostgreSQL and its backends."""
    at = time.time()
    scene.stack.postgres.pause()
    try:
        await asyncio.sleep(seconds)
    finally:
        scene.stack.postgres.resume()
    scene.note(Act(at, time.time(), "freeze", "database", {"seconds": seconds}))
