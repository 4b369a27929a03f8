"""Samples of the processes under test: memory and files from the kernel, the gauges from `/metrics`."""

import asyncio
import dataclasses
import re
import time
from collections.abc import Mapping
from typing import Self

import aiohttp
import psutil
from ringback_local.child import Child
from ringback_local.supervised import Supervised

from ringback_faults.ledgers import Sample
from ringback_faults.worlds import World

__all__ = ["Sampler", "gauges_in"]

_EVERY = 0.5
_GAUGES_EVERY = 2
"""Samples between two readings of /metrics: its text costs the process that writes it some milliseconds."""
_PATIENCE = aiohttp.ClientTimeout(total=0.4)
_GAUGE = re.compile(
    r"^(ringback_(?:stream_(?:in_hand|oldest_in_hand_seconds|in_flight_window|tenant_keys|paused_partitions|halted|breaker_open|assigned_partitions)"
    r"|graph_budget_waiting|enricher_tenants_paused|webhook_connections)(?:\{[^}]*\})?) (\S+)$",
    re.MULTILINE,
)


class Sampler:
    """Samples every process twice a second while its block lasts."""

    def __init__(self, world: World, members: Mapping[str, Child]) -> None:
        """`members`, by "service name", are further instances; only the kernel is asked of them."""
        self.samples: list[Sample] = []
        self._world = world
        self._members = members
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._keep_looking())
        return self

    async def __aexit__(self, *failure: object) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _keep_looking(self) -> None:
        samples = 0
        async with aiohttp.ClientSession(timeout=_PATIENCE) as session:
            while True:
                processes = [one for name, one in self._world.stack.processes.items() if name != "simulator"]
                asked = session if samples % _GAUGES_EVERY == 0 else None
                seen = await asyncio.gather(*(_look(process, asked) for process in processes))
                joined = [_of_kernel(name.partition(" ")[0], child.pid) for name, child in self._members.items()]
                self.samples += [sample for sample in (*seen, *joined) if sample is not None]
                samples += 1
                await asyncio.sleep(_EVERY)


async def _look(process: Supervised, session: aiohttp.ClientSession | None) -> Sample | None:
    """None while the process is not there."""
    try:
        seen = _of_kernel(process.spec.name, process.pid)
    except RuntimeError:
        return None
    if seen is None or session is None or process.admin_port is None:
        return seen
    return dataclasses.replace(seen, gauges=await _gauges(session, process.admin_port))


def _of_kernel(name: str, pid: int) -> Sample | None:
    try:
        process = psutil.Process(pid)
        with process.oneshot():
            return Sample(time.time(), name, pid, int(process.memory_info().rss), process.num_fds())
    except psutil.Error:
        return None


async def _gauges(session: aiohttp.ClientSession, port: int) -> dict[str, float]:
    """Empty if the process did not tell them: it may be frozen or not up yet."""
    try:
        async with session.get(f"http://127.0.0.1:{port}/metrics") as answer:
            return gauges_in(await answer.text())
    except (aiohttp.ClientError, TimeoutError):
        return {}


def gauges_in(text: str) -> dict[str, float]:
    """The gauges that have a configured bound, by name and labels as they stand in the text."""
    return {match[1]: float(match[2]) for match in _GAUGE.finditer(text)}
