"""Faults of what lies between two processes: slow, cut off, reset, silently dead."""

import asyncio
import dataclasses
import time
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

from ringback_local.polling import until

from ringback_faults.actions.registry import action
from ringback_faults.ledgers import Act
from ringback_faults.links import Link, Links
from ringback_faults.network import Direction, Peer
from ringback_faults.produce_errors import ErrorName
from ringback_faults.relay import Counts, Toxic
from ringback_faults.scene import Scene

__all__ = ["cut", "links_of", "poison_link", "produce_errors", "refuse_link"]

Harm = Mapping[str, float | int | bool]
"""Members of a `Toxic`."""
_STRUCK_SECONDS = 30.0


@action("poison link")
async def poison_link(
    scene: Scene,
    links: list[str],
    seconds: float,
    up: Harm | None = None,
    down: Harm | None = None,
    least: Mapping[str, int] | None = None,
) -> None:
    """Do something to what goes over links: `up` to what the client sends, `down` to what it is answered.

    The links' evidence: connections reset or half closed, chunks delayed or held, bytes passed meanwhile. With `least`
    it lasts longer, until so much of it was seen, e.g. {half_closes: 2}: a client whose breaker is open asks rarely.
    """
    async with _harmed(scene, links, "poison link") as before:
        for link in before:
            link.poison(Toxic(**dict[str, Any](up or {})), Toxic(**dict[str, Any](down or {})))
        await asyncio.sleep(seconds)
        await until(lambda: _seen_at_least(before, least or {}), _STRUCK_SECONDS)


@action("refuse link")
async def refuse_link(scene: Scene, links: list[str], seconds: float) -> None:
    """Reset what is connected and refuse who comes."""
    async with _harmed(scene, links, "refuse link") as before:
        for link in before:
            link.refuse()
        await asyncio.sleep(seconds)


@asynccontextmanager
async def _harmed(scene: Scene, names: Sequence[str], what: str) -> AsyncGenerator[Mapping[Link, Counts]]:
    """The links with their counts before; they are healed after the block, and what was counted in it is noted."""
    at, before = time.time(), {(link := links_of(scene)[name]): dataclasses.replace(link.counts) for name in names}
    try:
        yield before
    finally:
        for link in before:
            link.heal()
    for link, earlier in before.items():
        scene.note(Act(at, time.time(), what, link.route.name, _since(link.counts, earlier)))


@action("produce errors")
async def produce_errors(
    scene: Scene,
    link: str,
    error: ErrorName,
    times: int,
    topic: str = "",
    *,
    written: bool = False,
    seconds: float = 10.0,
) -> None:
    """The next produce requests over a link are answered with an error of Kafka's; ends once all were.

    Args:
        scene: where.
        link: `<service>-broker`.
        error: its name in Kafka's protocol.
        times: how many requests.
        topic: only requests that write to this topic of the contract.
        written: the broker has the records all the same.
        seconds: the longest to wait for so many requests.
    """
    errors, at = links_of(scene)[link].produce_errors, time.time()
    before = errors.raised
    errors.order(error, times, topic and scene.stack.addresses.topic_prefix + topic, written=written)
    await until(lambda: errors.raised - before >= times, seconds)
    errors.end()
    raised = errors.raised - before
    detail = {"error": error, "raised": raised, "missing": times - raised, "written": float(written)}
    scene.note(Act(at, time.time(), "produce errors", link, detail))


@action("cut")
async def cut(
    scene: Scene, process: str, peer: Peer, seconds: float, direction: Direction = "both", times: int = 1
) -> None:
    """Lose every packet between a process and a peer, silently. `passed` bytes were given to the kernel meanwhile."""
    network = scene.needed(scene.world.network, "networks to cut")
    link = links_of(scene)["graph-webhook" if (process, peer) == ("webhook", "graph") else f"{process}-{peer}"]
    for _ in range(times):
        before, at = dataclasses.replace(link.counts), time.time()
        try:
            network.cut(process, peer, direction)
            await asyncio.sleep(seconds)
        finally:
            ended = time.time()
            network.heal()
        passed = _since(link.counts, before)["bytes"]
        scene.note(Act(at, ended, "cut", process, {"peer": peer, "direction": direction, "passed": passed}))


def _seen_at_least(before: Mapping[Link, Counts], least: Mapping[str, int]) -> bool:
    changes = [_since(link.counts, earlier) for link, earlier in before.items()]
    return all(sum(float(change[name]) for change in changes) >= count for name, count in least.items())


def _since(now: Counts, before: Counts) -> dict[str, float | str]:
    earlier = dataclasses.asdict(before)
    return {name: float(count - earlier[name]) for name, count in dataclasses.asdict(now).items()}


def links_of(scene: Scene) -> Links:
    """The links of the scene's world; raises ConfigError if it has none."""
    return scene.needed(scene.world.links, "links")
