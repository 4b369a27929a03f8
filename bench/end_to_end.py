"""Stage e2e: the whole installation before the simulator, from the acceptance of a notification to the stored row.

Graph's own time is taken out: from the moment the enricher sent its first request (`fetched_at`) to the end of the
last answer about that call in the simulator's ledger. What is left is Ringback's, Kafka's and PostgreSQL's.
"""

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime
from typing import Any

import aiohttp
import asyncpg
import orjson
from ringback_local.simulator import ledger
from ringback_local.stack import Stack, StackOptions

from bench.contestant import Latency, Ran
from bench.figures import RINGBACK, Figures
from bench.round import Round

__all__ = ["measure"]

_PACE = 50
_TENANTS = 3
_LONGER = 4
"""A pace needs longer than full load to show its slowest hundredth."""
_PATIENCE = 120.0
_ROWS = """
SELECT tenant_id, call_id, received_at, fetched_at, first_stored_at FROM callrecords.call_version
WHERE received_at IS NOT NULL"""

Call = tuple[str, str]


class Installation:
    """Every process of Ringback, on one machine with the simulator and the servers."""

    name = RINGBACK

    def __init__(self, stack: Stack, control: aiohttp.ClientSession) -> None:
        self._stack = stack
        self._control = control

    async def start(self) -> None:
        """Until every tenant has its subscription."""
        await _until(self._subscribed, "the tenants' subscriptions")

    def pids(self) -> Sequence[int]:
        """Ringback's four; the busiest first."""
        return [self._stack.processes[name].pid for name in ("enricher", "webhook", "store", "keeper")]

    async def run(self, load: float) -> Ran:
        """Let calls end for `load` seconds, and wait until all are stored."""
        calls, began = int(load * _PACE), time.time()
        await self._workday(calls, load)
        await _until(lambda: self._stored(calls), f"{calls} calls in the store")
        return replace(_ran(await self._rows(), await self._answered()), began=began, ended=time.time())

    async def stop(self) -> None:
        """The stack ends its processes itself."""

    async def _workday(self, calls: int, seconds: float) -> None:
        workday = {
            "tenants": list(self._stack.tenants), "calls": calls, "durationSeconds": seconds,
            "shapes": {"smallMeeting": 1},
            "lateVersionShare": 0.0, "notFoundFirstShare": 0.0, "duplicates": 0.0, "plantedDrops": 0,
            "throttleStorm": False, "specials": False,
        }  # fmt: skip
        async with self._control.post("/control/workday", json=workday) as answer:
            answer.raise_for_status()

    async def _subscribed(self) -> bool:
        async with self._control.get("/control/state") as answer:
            return orjson.loads(await answer.read())["subscriptions"] >= _TENANTS

    async def _stored(self, calls: int) -> bool:
        return len(await self._rows()) >= calls

    async def _rows(self) -> list[Mapping[str, Any]]:
        connection: Any = await asyncpg.connect(self._stack.dsn)
        try:
            return await connection.fetch(_ROWS)
        finally:
            await connection.close()

    async def _answered(self) -> dict[Call, float]:
        """When the last answer about each call ended, epoch seconds."""
        ends: dict[Call, float] = {}
        async for line in ledger(self._control, "request"):
            if line["callId"] is not None:
                call = (line["tenantId"], line["callId"])
                ends[call] = max(ends.get(call, 0.0), line["end"])
        return ends


def _ran(rows: Sequence[Mapping[str, Any]], answered: Mapping[Call, float]) -> Ran:
    """The latencies without Graph's time; the whole ones beside them."""
    whole = [_milliseconds(row["received_at"], row["first_stored_at"]) for row in rows]
    graph = [_graphs_own(row, answered) for row in rows]
    mine = Latency.of([total - part for total, part in zip(whole, graph, strict=True)])
    everything, graphs = Latency.of(whole), Latency.of(graph)
    also = {"with_graph_p50_ms": everything.p50, "with_graph_p99_ms": everything.p99, "graph_p50_ms": graphs.p50}
    return Ran(len(rows), 0.0, 0.0, mine, also=also)


def _graphs_own(row: Mapping[str, Any], answered: Mapping[Call, float]) -> float:
    """Milliseconds between the first request and the end of the last answer."""
    return 1000 * (answered[(row["tenant_id"], row["call_id"])] - row["fetched_at"].timestamp())


def _milliseconds(start: datetime, end: datetime) -> float:
    return 1000 * (end - start).total_seconds()


async def _until(condition: Callable[[], Any], what: str) -> None:
    deadline = time.monotonic() + _PATIENCE
    while not await condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"waited {_PATIENCE:.0f} s for {what}")
        await asyncio.sleep(0.5)


@asynccontextmanager
async def _installation() -> AsyncGenerator[Installation]:
    async with (
        Stack(StackOptions(tenants=_TENANTS, time_scale=1.0, lasting_broker=True)) as stack,
        aiohttp.ClientSession(stack.simulator.control_url) as control,
    ):
        yield Installation(stack, control)


async def measure(bench: Round) -> list[Figures]:
    """One pace; no baseline, for nothing else goes all the way."""
    bench.say("e2e: starting the whole installation")
    async with _installation() as installation:
        await installation.start()
        return [await bench.measure(("e2e", f"{_PACE} calls/s"), installation, _LONGER * bench.seconds)]
