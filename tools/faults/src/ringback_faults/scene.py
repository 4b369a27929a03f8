"""What an action has at hand while a row is under way."""

import asyncio
import dataclasses
import random
import time
from collections.abc import AsyncGenerator
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar

import aiohttp
import orjson
from ringback_common.errors import ConfigError
from ringback_local.child import Child
from ringback_local.stack import Stack

from ringback_faults.collect.kept import Kept
from ringback_faults.lags import Lags
from ringback_faults.ledgers import Act
from ringback_faults.row import Row
from ringback_faults.worlds import World

__all__ = ["Scene", "open_beside_scene", "open_scene"]


_Part = TypeVar("_Part")


@dataclass(slots=True)
class Scene:
    """One row in a running world.

    Attributes:
        control: the simulator's control API.
        lags: how far consumer groups are behind, by the broker's word.
        random: of the row's seed; whatever an action draws, it draws here, so that a seed repeats it.
        started: Unix seconds at which the load began.
        members: further instances that an action started, by "service name".
        ending: what is undone when the row is over.
        acts: what was done, in the order it was noted.
        kept: what topics held before it was taken from them, likewise.
    """

    world: World
    row: Row
    seed: int
    control: aiohttp.ClientSession
    lags: Lags
    random: random.Random
    started: float
    ending: ExitStack
    members: dict[str, Child] = field(default_factory=dict[str, Child])
    acts: list[Act] = field(default_factory=list[Act])
    kept: list[Kept] = field(default_factory=list[Kept])

    @property
    def stack(self) -> Stack:
        """The installation."""
        return self.world.stack

    def note(self, act: Act) -> None:
        """Put an act on record; the judge takes its evidence from these."""
        self.acts.append(act)

    def needed(self, part: _Part | None, what: str) -> _Part:
        """A part of the world that an action cannot do without; raises ConfigError if its kind has none."""
        if part is None:
            raise ConfigError(f"the world {self.world.kind.name} has no {what}")
        return part

    async def until(self, seconds: float) -> None:
        """Wait until so many seconds after the load began."""
        await asyncio.sleep(max(0.0, self.started + seconds - time.time()))

    async def ask(self, method: str, path: str, body: Any = None) -> Any:
        """One call of the control API; `path` counts from /control/. Raises ValueError with the simulator's refusal."""
        async with self.control.request(method, f"/control/{path}", json=body) as answer:
            said = await answer.read()
            if answer.status >= 400:  # noqa: PLR2004 - HTTP's classes
                raise ValueError(f"{method} /control/{path}: {said.decode(errors='replace')}")
            return orjson.loads(said)


@asynccontextmanager
async def open_scene(world: World, row: Row, seed: int) -> AsyncGenerator[Scene]:
    """Yield a scene whose load has not begun; `started` is now."""
    generator = random.Random(f"{row.row}/{seed}")  # noqa: S311 - a seed that repeats is the point
    async with (
        aiohttp.ClientSession(world.stack.simulator.control_url) as control,
        Lags.connect(world.stack.bootstrap_servers, world.stack.addresses.topic_prefix) as lags,
    ):
        with ExitStack() as ending:
            yield Scene(world, row, seed, control, lags, generator, time.time(), ending)


@asynccontextmanager
async def open_beside_scene(scene: Scene) -> AsyncGenerator[Scene]:
    """Yield the installation beside as a scene of its own, so that actions can be done to it; it began now.

    What is noted there is not the row's: its processes are not those that are judged.

    Raises:
        ValueError: the world has one installation only.
    """
    stack = scene.world.beside
    if stack is None:
        raise ValueError(f"there is no installation beside {scene.world.kind.name}")
    async with (
        aiohttp.ClientSession(stack.simulator.control_url) as control,
        Lags.connect(stack.bootstrap_servers, stack.addresses.topic_prefix) as lags,
    ):
        world = dataclasses.replace(scene.world, stack=stack, beside=None)
        yield dataclasses.replace(
            scene, world=world, control=control, lags=lags, started=time.time(), members={}, acts=[], kept=[]
        )
