"""When everything of a row is finished, judged by the broker and the simulator, never by the services."""

import asyncio
import time

import aiohttp
import orjson
from aiokafka.errors import KafkaError

from ringback_faults.lags import Lags
from ringback_faults.worlds import World

__all__ = ["drained"]

_LOOK_EVERY = 0.25
_QUIET_CHECKS = 4
"""In a row: one may fall between a produce and the next commit."""


async def drained(world: World, timeout: float) -> float | None:  # noqa: ASYNC109 - it answers None
    """Wait until nothing is left to do: the first of several quiet checks, Unix seconds; None: never.

    Quiet: Graph has nothing left to send, and both groups have committed up to the end of their topics, the retry tiers
    included, so that nothing waits for its time either.
    """
    deadline = time.monotonic() + timeout
    quiet_since, checks = 0.0, 0
    while time.monotonic() < deadline:
        try:
            async with Lags.connect(world.stack.bootstrap_servers, world.stack.addresses.topic_prefix) as lags:
                while checks < _QUIET_CHECKS and time.monotonic() < deadline:
                    checks = checks + 1 if await _quiet(world, lags) else 0
                    quiet_since = time.time() if checks <= 1 else quiet_since
                    await asyncio.sleep(_LOOK_EVERY)
        except (KafkaError, aiohttp.ClientError, OSError):
            checks = 0
            await asyncio.sleep(_LOOK_EVERY)
        if checks >= _QUIET_CHECKS:
            return quiet_since
    return None


async def _quiet(world: World, lags: Lags) -> bool:
    async with (
        aiohttp.ClientSession(world.stack.simulator.control_url) as control,
        control.get("/control/state") as answer,
    ):
        items = orjson.loads(await answer.read())["items"]
    return not items["pending"] and not any((await lags.by_lane()).values())
