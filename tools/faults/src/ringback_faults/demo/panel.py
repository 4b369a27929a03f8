"""What a person watches while the demo's row is under way: one screen, once a second."""

import asyncio
import time
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any

import aiohttp
import orjson
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.table import Table
from ringback_events import topics
from ringback_local.health_table import health_table
from ringback_local.stack import Stack

from ringback_faults.collect import store_dump
from ringback_faults.lags import Lags
from ringback_faults.ledgers import Act
from ringback_faults.scene import Scene

__all__ = ["Screen", "open_screen"]

_DEAD_LETTERS = (topics.INTERNAL_DEAD_LETTERS.name, topics.RESTRICTED_DEAD_LETTERS.name)
_STORE = """
SELECT (SELECT count(*) FROM callrecords.call_version) AS versions,
  (SELECT count(*) FROM callrecords.call) AS calls,
  (SELECT count(*) FILTER (WHERE quality_verdict = 'good') FROM callrecords.call) AS good,
  (SELECT count(*) FILTER (WHERE quality_verdict = 'poor') FROM callrecords.call) AS poor,
  (SELECT max(received_to_stored_p50_ms) FROM callrecords.freshness) AS p50,
  (SELECT max(received_to_stored_p99_ms) FROM callrecords.freshness) AS p99"""


@dataclass(frozen=True, slots=True)
class _Reading:
    """One look at everything, from outside the services."""

    at: float
    day: Mapping[str, Any]
    store: Mapping[str, Any]
    behind: Mapping[str, int]
    dead_letters: int


class Screen:
    """Reads the simulator, the broker and the store, and shows them; it keeps the last reading for the rates."""

    def __init__(self, console: Console, stack: Stack, control: aiohttp.ClientSession, lags: Lags, store: Any) -> None:
        self._console = console
        self._stack = stack
        self._control = control
        self._lags = lags
        self._store = store
        self._last: _Reading | None = None
        self._acts: Sequence[Act] = ()

    @asynccontextmanager
    async def watching(self, scene: Scene) -> AsyncGenerator[None]:
        """Show the row while the block lasts, with what is done to it."""
        self._acts = scene.acts
        shown = asyncio.create_task(self.show())
        try:
            yield
        finally:
            shown.cancel()
            with suppress(asyncio.CancelledError):
                await shown

    async def show(self) -> None:
        """Until it is cancelled."""
        with Live(console=self._console, transient=True, auto_refresh=False) as live:
            while True:
                live.update(await self._screen(), refresh=True)
                await asyncio.sleep(1.0)

    async def _read(self) -> _Reading:
        async with self._control.get("/control/workday") as answer:
            day = orjson.loads(await answer.read())
        store, dead = dict(await self._store.fetchrow(_STORE)), await self._lags.held(_DEAD_LETTERS)
        return _Reading(time.monotonic(), day, store, await self._lags.by_lane(), dead)

    async def _screen(self) -> RenderableType:
        now = await self._read()
        before, self._last = self._last or now, now
        day, store, seconds = now.day, now.store, max(1.0, now.at - before.at)
        accepted, stored = day["accepted"] - before.day["accepted"], store["versions"] - before.store["versions"]
        flow = _grid(
            ("calls", f"{day['startedCalls']:,} of {day['plannedCalls']:,}"),
            ("notified", f"{day['notified']:,}"),
            ("accepted", f"{day['accepted']:,}  ({accepted / seconds:,.0f}/s)"),
            ("stored versions", f"{store['versions']:,}  ({stored / seconds:,.0f}/s)"),
            ("accepted → stored", f"p50 {_ms(store['p50'])}   p99 {_ms(store['p99'])}"),
            ("quality", f"{store['good']:,} calls good, {store['poor']:,} poor, of {store['calls']:,}"),
            ("dead letters", f"{now.dead_letters:,}"),
        )
        bar = ProgressBar(total=max(1, day["plannedCalls"]), completed=day["startedCalls"], width=60)
        lanes = _grid(*((name.removeprefix("callrecords."), f"{behind:,}") for name, behind in now.behind.items()))
        panels = {
            "Ringback: a working week": Group(flow, bar),
            "records behind, by lane": lanes,
            "processes": health_table([*self._stack.servers(), *self._stack.health()]),
        }
        if self._acts:
            panels["on purpose"] = _grid(*map(_done, self._acts[-4:]))
        return Group(*(Panel(content, title=title, title_align="left") for title, content in panels.items()))


@asynccontextmanager
async def open_screen(console: Console, stack: Stack) -> AsyncGenerator[Screen]:
    """Connect to all that is shown."""
    async with AsyncExitStack() as opened:
        control = await opened.enter_async_context(aiohttp.ClientSession(stack.simulator.control_url))
        lags = await opened.enter_async_context(Lags.connect(stack.bootstrap_servers, stack.addresses.topic_prefix))
        store = await opened.enter_async_context(store_dump.connected(stack.dsn))
        yield Screen(console, stack, control, lags, store)


def _done(act: Act) -> tuple[str, str]:
    return f"kill -9 of {act.target}" if act.what == "kill" else act.what, f"back after {act.end - act.at:.1f} s"


def _ms(value: float | None) -> str:
    return "-" if value is None else f"{value:,.0f} ms"


def _grid(*rows: tuple[str, ...]) -> Table:
    grid = Table.grid(padding=(0, 2))
    for row in rows:
        grid.add_row(*row)
    return grid
