"""`ringback-local demo`: start everything, send a workday through, break things, judge, and show where to look."""

import asyncio
import os
import secrets
from collections import Counter
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field

import aiohttp
import orjson
from rich.console import Console
from rich.live import Live
from ringback_events import topics

from ringback_local.demo import report
from ringback_local.demo.calls import explained
from ringback_local.demo.collect import Dump, dump, expected_calls, ledger, stored_calls
from ringback_local.demo.day import order_of
from ringback_local.demo.evidence import missing
from ringback_local.demo.hops import measure
from ringback_local.demo.judge import Judgement, judge
from ringback_local.demo.kills import Kill, kill_consumer, kill_webhook
from ringback_local.demo.lanes import Lags
from ringback_local.demo.panel import Reading, Watch, screen
from ringback_local.reach import ways
from ringback_local.servers import StartFailed
from ringback_local.sites import SITES
from ringback_local.stack import Stack, StackOptions

__all__ = ["DemoOptions", "run"]

READ_TOPICS = (
    topics.RECORDS,
    topics.SESSIONS,
    topics.CALLS,
    topics.INTERNAL_DEAD_LETTERS,
    topics.RESTRICTED_DEAD_LETTERS,
)
LEAST_ACCEPTED = 5000
DRAIN_SECONDS = 240
SUBSCRIBED_SECONDS = 60
QUIET_LOOKS = 3
"""Quiet readings in a row that mean: drained. One may fall between a produce and a commit."""
KILL_AT = {"webhook": 0.25, "enricher": 0.45, "store": 0.65}
"""Shares of the day's calls at which a service is killed."""


@dataclass(frozen=True, slots=True)
class DemoOptions:
    """How many calls, for how many tenants, how fast.

    Attributes:
        calls: calls that ended in the office hours of five working days.
        seconds: real seconds in which Graph tells of them.
        ci: stop after the report, with an exit code, instead of going on until Ctrl-C.
    """

    tenants: int = 3
    calls: int = 4200
    seconds: float = 75.0
    time_scale: float = 120.0
    seed: int = field(default_factory=lambda: secrets.randbelow(1_000_000))
    ci: bool = field(default_factory=lambda: os.environ.get("CI") == "true")


@dataclass(slots=True)
class _Day:
    """What is at hand while the day goes by."""

    options: DemoOptions
    console: Console
    stop: asyncio.Event
    stack: Stack
    control: aiohttp.ClientSession
    lags: Lags
    watch: Watch
    events: list[str] = field(default_factory=list[str])
    kills: list[Kill] = field(default_factory=list[Kill])


async def run(options: DemoOptions, console: Console, stop: asyncio.Event) -> int:
    """Run the demo; 0 if the judgement is clean and the day brought everything it should, else 1."""
    console.print(
        f"A working week of calls, seed {options.seed}; starting Kafka, PostgreSQL, the simulator and the services …"
    )
    async with _opened(options, console, stop) as day:
        _show_ways(day)
        await _send(day)
        with Live(console=console, refresh_per_second=2, transient=True, auto_refresh=False) as live:
            await _through(day, live)
        judgement, lacking = await _judged(day)
        if not options.ci:
            await _linger(day)
    clean = judgement.clean and judgement.accepted >= LEAST_ACCEPTED and not lacking
    console.file.write(report.last_line(judgement) + "\n")
    return 0 if clean else 1


@asynccontextmanager
async def _opened(options: DemoOptions, console: Console, stop: asyncio.Event) -> AsyncGenerator[_Day]:
    made = StackOptions(tenants=options.tenants, time_scale=options.time_scale, seed=options.seed, sites=SITES)
    async with AsyncExitStack() as stacked:
        stack = await stacked.enter_async_context(Stack(made))
        control = await stacked.enter_async_context(aiohttp.ClientSession(stack.simulator.control_url))
        lags = await stacked.enter_async_context(Lags.connect(stack.bootstrap_servers))
        watch = await Watch.start(stack, control, lags)
        stacked.push_async_callback(watch.stop)
        yield _Day(options, console, stop, stack, control, lags, watch)


async def _send(day: _Day) -> None:
    """Order the calls once Graph has somebody to tell of them: what ended before is announced to nobody."""
    await _subscribed(day)
    options = day.options
    order = order_of(options.seed, day.stack.tenants, options.calls, options.seconds)
    async with day.control.post("/control/workday", json=order) as answer:
        answer.raise_for_status()


async def _subscribed(day: _Day) -> None:
    """Wait until the keeper has made every tenant's subscription; raises StartFailed."""
    deadline = asyncio.get_running_loop().time() + SUBSCRIBED_SECONDS
    while not day.stop.is_set():
        async with day.control.get("/control/state") as answer:
            held = orjson.loads(await answer.read())["subscriptions"]
        if held >= len(day.stack.tenants):
            return
        if asyncio.get_running_loop().time() > deadline:
            raise StartFailed(f"Graph has {held} subscriptions of {len(day.stack.tenants)} tenants.")
        await asyncio.sleep(0.2)


async def _through(day: _Day, live: Live) -> None:
    """Watch until everything has been sent and drained; kill each service on the way."""
    due = dict(KILL_AT)
    drained = 0
    deadline = asyncio.get_running_loop().time() + day.options.seconds + DRAIN_SECONDS
    while drained < QUIET_LOOKS and asyncio.get_running_loop().time() < deadline and not day.stop.is_set():
        reading = await day.watch.read()
        drained = drained + 1 if reading.quiet else 0
        live.update(screen(reading, day.stack, day.events), refresh=True)
        for service in [name for name, share in due.items() if _reached(reading, share)]:
            del due[service]
            await _kill(day, service)
        await asyncio.sleep(1.0)


def _reached(reading: Reading, share: float) -> bool:
    return reading.day["startedCalls"] >= share * reading.day["plannedCalls"]


async def _kill(day: _Day, service: str) -> None:
    if service == "webhook":
        kill = await kill_webhook(day.stack, day.control)
    else:
        kill = await kill_consumer(day.stack, day.lags, service)
    day.kills.append(kill)
    day.events.append(f"kill -9 of {service} while it held {kill.unfinished:,} unfinished; it is back")


async def _judged(day: _Day) -> tuple[Judgement, list[str]]:
    """Collect, judge, and print the report."""
    day.console.print("Reading the ledger, the topics and the store …")
    dumps = {topic.name: await dump(day.stack.bootstrap_servers, topic.name) for topic in READ_TOPICS}
    expected, stored = await expected_calls(day.control), await stored_calls(day.stack.dsn)
    refused = dumps[topics.INTERNAL_DEAD_LETTERS.name].keys | dumps[topics.RESTRICTED_DEAD_LETTERS.name].keys
    judgement = judge(expected, stored, refused)
    statuses = Counter([line["status"] async for line in ledger(day.control, "request")])
    hops = await measure(day.stack.dsn, day.control, dumps[topics.RECORDS.name].appended)
    counts = await _counts(day, statuses, dumps)
    report.show(day.console, judgement, counts, hops, dumps, day.kills)
    for sentence in explained(day.options.calls, expected, stored, refused):
        day.console.print(sentence, markup=False, highlight=False)
    lacking = missing(expected, stored, statuses, day.kills)
    for sentence in lacking:
        day.console.print(f"[red]No evidence: {sentence}[/]")
    return judgement, lacking


async def _counts(day: _Day, statuses: Counter[int], dumps: dict[str, Dump]) -> dict[str, int]:
    async with day.control.get("/control/workday") as answer:
        told = orjson.loads(await answer.read())
    return {
        "notified": told["notified"],
        "fetched (Graph answered 200)": statuses[200],
        "published (record versions)": len(dumps[topics.RECORDS.name].ids),
    }


def _show_ways(day: _Day) -> None:
    """Before the day, for it can be watched from outside, and below the report if everything stays up."""
    for way in ways(day.stack.reach):
        day.console.print(way, soft_wrap=True, markup=False, highlight=False)


async def _linger(day: _Day) -> None:
    """Stay up, and keep showing, until Ctrl-C."""
    _show_ways(day)
    day.console.print("Everything stays up until Ctrl-C.")
    with Live(console=day.console, auto_refresh=False) as live:
        while not day.stop.is_set():
            live.update(screen(await day.watch.read(), day.stack, day.events), refresh=True)
            await asyncio.sleep(1.0)
