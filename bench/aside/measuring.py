"""One case after the other: the backlog is written, the process is started, its writes and records are counted."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from ringback_graph.availability import WINDOW_SECONDS, Quota, Role

from bench.aside.cases import CASES, TENANTS, Case, Result
from bench.aside.process import ProcessMonitor
from bench.aside.requests import pause, write_backlog
from bench.aside.watching import Counts, Watch
from bench.enricher import NEEDED, fetch_process
from bench.fast_graph import Graph, open_graph
from bench.graph_bodies import REQUESTS_A_RECORD
from bench.kafka import Lanes
from bench.programs import Service
from bench.tenants import write_tenants

__all__ = ["Options", "measure", "quota_of"]

_ANSWER_MS = 100


@dataclass(frozen=True, slots=True)
class Options:
    """What to measure.

    Attributes:
        cases: which loads.
        requests: of all tenants of a load together.
        paused: of the paused tenant.
        budget: of each tenant, by the tenants file: requests in 20 s. Graph grants 1,500.
    """

    cases: Sequence[Case] = CASES
    requests: int = 10_000
    paused: int = 1_000_000
    budget: int = 1_500

    def count(self, case: Case) -> int:
        """Requests of a case."""
        return self.paused if case.is_paused else self.requests


@dataclass(frozen=True, slots=True)
class _World:
    """What all cases have in common."""

    options: Options
    bootstrap: str
    folder: Path
    graph: Graph
    progress: Callable[[str], None]

    def process(self, lanes: Lanes) -> Service:
        """The process over these topics, not started yet."""
        tenants_file = write_tenants(self.folder, self.graph.url, TENANTS, self.options.budget)
        return fetch_process(lanes, self.folder, self.graph, tenants_file)


def quota_of(budget: int) -> float:
    """Requests a second that the enricher may send to a tenant: its part of the budget, less what jitter may take."""
    return Quota.of(budget * Role.FETCHER.value, WINDOW_SECONDS).rate


def _asked(records: int) -> int:
    return records * REQUESTS_A_RECORD


async def measure(options: Options, bootstrap: str, progress: Callable[[str], None]) -> list[Result]:
    """Measure each case, with topics of its own.

    Raises:
        TimeoutError: nothing was served or put aside for a minute.
        StartFailed: the process ended.
    """
    with TemporaryDirectory(prefix="ringback-aside-") as name:
        async with open_graph(Path(name), _ANSWER_MS) as graph:
            world = _World(options, bootstrap, Path(name), graph, progress)
            before_mib = await _at_rest(world)
            return [await _one(world, case, before_mib) for case in options.cases]


async def _at_rest(world: _World) -> float:
    """Resident memory, in MiB, of a process of its own that has its partitions and nothing in them."""
    async with Lanes.open(world.bootstrap, *NEEDED) as lanes:
        process = world.process(lanes)
        await process.start()
        try:
            monitor = ProcessMonitor(process)
            await monitor.until_idle()
            return monitor.rss_mib
        finally:
            await process.stop()


async def _one(world: _World, case: Case, before_mib: float) -> Result:
    requests = world.options.count(case)
    async with Lanes.open(world.bootstrap, *NEEDED) as lanes:
        world.progress(f"{case.words}: {requests:,} requests")
        if case.is_paused:
            await pause(lanes, TENANTS[0])
        await write_backlog(lanes, case.order(requests), world.progress)
        process = world.process(lanes)
        async with Watch.open(lanes, world.progress) as watch:
            world.progress("written; the process starts")
            await process.start()
            try:
                return await _watched(world.options, case, ProcessMonitor(process), watch, before_mib)
            finally:
                await process.stop()


async def _watched(options: Options, case: Case, monitor: ProcessMonitor, watch: Watch, before_mib: float) -> Result:
    requests, began = options.count(case), time.monotonic()
    wanted = Counts(case.served(requests), requests if case.is_paused else 0)
    await watch.until(wanted, monitor)
    seconds, cores = time.monotonic() - began, monitor.cores
    await monitor.until_idle()  # what is aside is read ahead meanwhile, and nothing more should come of it
    counts = await watch.counts()
    return Result(
        case=case,
        requests=requests,
        served=counts.served,
        seconds=seconds,
        writes=counts.written / requests,
        quota=None if case.is_paused else _asked(wanted.served) / (case.tenants * quota_of(options.budget) * seconds),
        before_mib=before_mib,
        peak_mib=monitor.peak_mib,
        cores=cores,
    )
