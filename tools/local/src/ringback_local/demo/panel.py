"""What a person watches while the day goes by: one screen, once a second."""

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, cast

import aiohttp
import asyncpg
import orjson
from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.table import Table
from ringback_events import topics

from ringback_local.demo.lanes import ENRICHER, SINK, Lags
from ringback_local.stack import Stack

__all__ = ["Reading", "Watch", "screen"]

FETCH_LANES = tuple(lane.name for lane in topics.FETCH_LANES)
DEAD_LETTERS = (topics.INTERNAL_DEAD_LETTERS.name, topics.RESTRICTED_DEAD_LETTERS.name)
_STORE = """
SELECT (SELECT count(*) FROM callrecords.call_version) AS versions,
  (SELECT count(*) FROM callrecords.call) AS calls,
  (SELECT count(*) FILTER (WHERE quality_verdict = 'good') FROM callrecords.call) AS good,
  (SELECT count(*) FILTER (WHERE quality_verdict = 'poor') FROM callrecords.call) AS poor,
  (SELECT max(received_to_stored_p50_ms) FROM callrecords.freshness) AS p50,
  (SELECT max(received_to_stored_p99_ms) FROM callrecords.freshness) AS p99"""


@dataclass(slots=True)
class Reading:
    """One look at everything, from outside the services."""

    at: float
    day: Mapping[str, Any]
    store: Mapping[str, Any]
    behind: Mapping[str, int]
    dead_letters: int
    accepted_rate: float = 0.0
    stored_rate: float = 0.0
    notes: list[str] = field(default_factory=list[str])

    @property
    def quiet(self) -> bool:
        """Everything that was planned has been sent, and no lane holds anything."""
        return bool(self.day["done"]) and not any(self.behind.values())


class Watch:
    """Takes readings; remembers the last one for the rates."""

    def __init__(self, stack: Stack, control: aiohttp.ClientSession, lags: Lags, connection: Any) -> None:
        self._stack = stack
        self._control = control
        self._lags = lags
        self._connection = connection
        self.last: Reading | None = None

    async def read(self) -> Reading:
        """One reading."""
        async with self._control.get("/control/workday") as answer:
            day = orjson.loads(await answer.read())
        row = await self._connection.fetchrow(_STORE)
        fetch, records, dead = await asyncio.gather(
            self._lags.of(ENRICHER, FETCH_LANES),
            self._lags.of(SINK, (topics.RECORDS.name,)),
            self._lags.held(DEAD_LETTERS),
        )
        now = Reading(time.monotonic(), day, cast("Mapping[str, Any]", dict(row)), {**fetch, **records}, dead)
        if self.last is not None and now.at > self.last.at:
            seconds = now.at - self.last.at
            now.accepted_rate = (day["accepted"] - self.last.day["accepted"]) / seconds
            now.stored_rate = (now.store["versions"] - self.last.store["versions"]) / seconds
        self.last = now
        return now

    @classmethod
    async def start(cls, stack: Stack, control: aiohttp.ClientSession, lags: Lags) -> "Watch":
        """Connect to the store and be ready to read."""
        return cls(stack, control, lags, cast("Any", await asyncpg.connect(stack.dsn)))

    async def stop(self) -> None:
        """Close the connection to the store."""
        await self._connection.close()


def screen(reading: Reading, stack: Stack, events: list[str]) -> RenderableType:
    """The screen for one reading."""
    day, store = reading.day, reading.store
    flow = _grid(
        ("calls", f"{day['startedCalls']:,} of {day['plannedCalls']:,}"),
        ("notified", f"{day['notified']:,}"),
        ("accepted", f"{day['accepted']:,}  ({reading.accepted_rate:,.0f}/s)"),
        ("stored versions", f"{store['versions']:,}  ({reading.stored_rate:,.0f}/s)"),
        ("accepted → stored", f"p50 {_ms(store['p50'])}   p99 {_ms(store['p99'])}"),
        ("quality", f"{store['good']:,} calls good, {store['poor']:,} poor, of {store['calls']:,}"),
        ("dead letters", f"{reading.dead_letters:,}"),
    )
    lanes = _grid(*((name.removeprefix("callrecords."), f"{behind:,}") for name, behind in reading.behind.items()))
    bar = ProgressBar(total=max(1, day["plannedCalls"]), completed=day["startedCalls"], width=60)
    return Group(
        Panel(Group(flow, bar), title="Ringback: a working week", title_align="left"),
        Panel(lanes, title="records behind, by lane", title_align="left"),
        Panel(_processes(stack), title="processes", title_align="left"),
        *(Panel("\n".join(events[-4:]), title="on purpose", title_align="left") for _ in events[:1]),
    )


def _ms(value: float | None) -> str:
    return "-" if value is None else f"{value:,.0f} ms"


def _grid(*rows: tuple[str, str]) -> Table:
    grid = Table.grid(padding=(0, 2))
    for name, value in rows:
        grid.add_row(name, value)
    return grid


def _processes(stack: Stack) -> Table:
    table = Table.grid(padding=(0, 2))
    for one in (*stack.servers(), *stack.health()):
        state = "[green]ready[/]" if one.ready else f"[yellow]{one.state}[/]"
        table.add_row(one.name, state, f"{one.restarts} restarts", f"{(one.rss or 0) / 2**20:,.0f} MiB")
    return table
