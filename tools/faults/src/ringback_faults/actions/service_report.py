"""Whether a service reports missing records, by a metric and in its log, exactly as often as they were caused."""

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

__all__ = ["REMOVED", "RESTARTED", "Fact", "ServiceReport", "metric_sum", "metrics_of"]

_REPORT_SECONDS = 30.0
_SURPLUS_SECONDS = 1.0
"""Waited once the metric has the value that is expected: one that rises beyond it has to be seen."""
_PATIENCE = aiohttp.ClientTimeout(total=2.0)


@dataclass(frozen=True, slots=True)
class Fact:
    """Something that a service reports in two ways.

    Attributes:
        metric: the counter.
        sentence: the message of a line at ERROR, which stands for one, or for as many as its field `count` says.
    """

    metric: str
    sentence: str


RESTARTED = Fact(
    "ringback_stream_restarts_total",
    "A log ends below the offset that was to be read next; the partition is read from its beginning.",
)
REMOVED = Fact("ringback_stream_removed_total", "Records were removed by retention before they were read.")


@dataclass(frozen=True, slots=True)
class ServiceReport:
    """What a process reports of one fact after its restart; create it before the process is stopped.

    Attributes:
        log: the file of its log, which the next process continues.
        begins: the size of that file in bytes when this was created; older lines are not read.
    """

    scene: Scene
    process: Consuming
    fact: Fact
    log: Path
    begins: int

    @classmethod
    def of(cls, scene: Scene, process: Consuming, fact: Fact) -> Self:
        """The report of everything that is logged from now on."""
        log = scene.stack.processes[process].log_file
        return cls(scene, process, fact, log, log.stat().st_size)

    async def compared(self, expected: int) -> dict[str, float]:
        """Wait until the metric has reached the expected number, 30 s at most, and compare what was reported with it.

        `counted` is the metric, `logged` the sum over the lines of the log, `error` how far both are from `expected`,
        added up.
        """
        deadline = time.monotonic() + _REPORT_SECONDS
        while await self._counted() < expected and time.monotonic() < deadline:  # noqa: ASYNC110 - it tells by asking
            await asyncio.sleep(0.1)
        await asyncio.sleep(_SURPLUS_SECONDS)
        counted, logged = await self._counted(), sum(self._logged())
        return {"counted": counted, "logged": logged, "error": abs(counted - expected) + abs(logged - expected)}

    async def _counted(self) -> float:
        return metric_sum(await metrics_of(self.scene, self.process), self.fact.metric, GROUPS[self.process][0])

    def _logged(self) -> Iterator[int]:
        """The number of each line of the fact; a last line that is not complete yet is left out."""
        with self.log.open("rb") as opened:
            opened.seek(self.begins)
            for line in opened:
                whole = line.startswith(b"{") and line.endswith(b"\n")
                reported: dict[str, Any] = orjson.loads(line) if whole else {}
                if (reported.get("message"), reported.get("level")) == (self.fact.sentence, "ERROR"):
                    yield int(reported.get("count", 1))


async def metrics_of(scene: Scene, process: str) -> str:
    """The text that a process exports at /metrics; empty while it does not answer."""
    url = f"http://127.0.0.1:{scene.stack.processes[process].admin_port}/metrics"
    try:
        async with aiohttp.request("GET", url, timeout=_PATIENCE) as answer:
            return await answer.text()
    except (aiohttp.ClientError, TimeoutError):
        return ""


def metric_sum(text: str, metric: str, group: str | None = None) -> float:
    """The sum of a metric over all topics of a group, or of every group; 0 if the text has no such line."""
    of_group = "" if group is None else rf'\bgroup="{group}"[^}}]*'
    line = rf"^{metric}\{{[^}}]*{of_group}\}} (\S+)$"
    return sum(float(value) for value in re.findall(line, text, re.MULTILINE))
