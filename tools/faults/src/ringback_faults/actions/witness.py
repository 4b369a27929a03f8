"""What a service counts and logs of logs that do not hold what was to be read, and whether it is what was done."""

import asyncio
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import aiohttp
import orjson

from ringback_faults.actions.absence import GROUPS, Consuming
from ringback_faults.scene import Scene

__all__ = ["REMOVED", "RESTARTED", "Fact", "Witness", "figure_in", "metrics_of"]

_TOLD_SECONDS = 30.0
_TOO_MANY_SECONDS = 1.0
"""Waited once what was due is counted: who counts too much has to be seen."""
_PATIENCE = aiohttp.ClientTimeout(total=2.0)


@dataclass(frozen=True, slots=True)
class Fact:
    """Something a service tells twice: by a counter, and by lines at ERROR, each of one or of its `count`."""

    metric: str
    sentence: str


RESTARTED = Fact(
    "ringback_stream_restarts_total",
    "A log ends below the offset that was to be read next; the partition is read from its beginning.",
)
REMOVED = Fact("ringback_stream_removed_total", "Records were removed by retention before they were read.")


@dataclass(frozen=True, slots=True)
class Witness:
    """A process that ends and begins anew, listened to from the moment before it ends."""

    scene: Scene
    process: Consuming
    fact: Fact
    log: Path
    begins: int

    @classmethod
    def of(cls, scene: Scene, process: Consuming, fact: Fact) -> Self:
        """Listen from now on."""
        log = scene.stack.processes[process].log_file
        return cls(scene, process, fact, log, log.stat().st_size)

    async def told(self, due: int) -> dict[str, float]:
        """What the next process tells, once it has told what is due, or never.

        `counted` is its metric, `said` what the lines of its log add up to, `off` by how much both are wrong.
        """
        deadline = time.monotonic() + _TOLD_SECONDS
        while await self._counted() < due and time.monotonic() < deadline:  # noqa: ASYNC110 - it tells by asking
            await asyncio.sleep(0.1)
        await asyncio.sleep(_TOO_MANY_SECONDS)
        counted, said = await self._counted(), sum(self._said())
        return {"counted": counted, "said": said, "off": abs(counted - due) + abs(said - due)}

    async def _counted(self) -> float:
        return figure_in(await metrics_of(self.scene, self.process), self.fact.metric, GROUPS[self.process][0])

    def _said(self) -> Iterator[int]:
        with self.log.open("rb") as opened:
            opened.seek(self.begins)
            for line in opened:
                told: dict[str, Any] = orjson.loads(line) if line.startswith(b"{") else {}
                if (told.get("message"), told.get("level")) == (self.fact.sentence, "ERROR"):
                    yield int(told.get("count", 1))


async def metrics_of(scene: Scene, process: str) -> str:
    """The text of a process' metrics; empty while it tells none."""
    url = f"http://127.0.0.1:{scene.stack.processes[process].admin_port}/metrics"
    try:
        async with aiohttp.request("GET", url, timeout=_PATIENCE) as answer:
            return await answer.text()
    except (aiohttp.ClientError, TimeoutError):
        return ""


def figure_in(text: str, metric: str, group: str) -> float:
    """What metrics say of a group, over all its topics."""
    line = rf'^{metric}\{{[^}}]*\bgroup="{group}"[^}}]*\}} (\S+)$'
    return sum(float(value) for value in re.findall(line, text, re.MULTILINE))
