"""Stage enricher: fetch requests to whole, derived, published records, before a Graph that answers at once or later."""

import asyncio
import uuid
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

import orjson
from ringback_events import topics
from ringback_events.keys import call_key
from ringback_events.times import wire_time
from ringback_local.child import Child, clean_environment

from bench.bare_fetch import READY
from bench.contestant import Ran
from bench.fast_graph import Graph, open_graph
from bench.figures import RINGBACK, Figures
from bench.kafka import Filling, Lanes, frozen, watch
from bench.programs import ROOT, Service, begin, script
from bench.round import Round
from bench.tenants import TENANTS, write_pseudonym_keys, write_tenants

__all__ = ["NEEDED", "fetch_process", "measure"]

_DELAYS_MS = (0, 100)
_GUESS = 250
"""Records a second, to choose a load that takes about the seconds asked for."""
_WARM = 100
NEEDED = (
    *topics.FETCH_LANES,
    *(topics.INTERNAL_DEAD_LETTERS, topics.RESTRICTED_DEAD_LETTERS, topics.CONTROL, topics.STATUS),
    *(topics.RECORDS, topics.SESSIONS, topics.CALLS),
)
"""Topics that the process reads, writes or checks at its start."""


class _Fetching:
    """What both contestants have in common: requests in, restricted records out."""

    def __init__(self, lanes: Lanes) -> None:
        self._lanes = lanes

    async def carried(self, pids: Sequence[int], calls: int) -> Ran:
        """Lay the requests before the frozen process, let it go, and watch the records come."""
        async with self._lanes.counted(topics.RECORDS) as held:
            with frozen(pids):
                before = await held()
                await self._lanes.fill(topics.FETCH, _requests(calls))
            return await watch(held, before, calls)


def _requests(calls: int) -> Iterator[Filling]:
    """Requests for as many calls, over the tenants in turn."""
    now = wire_time(datetime.now(UTC))
    for number in range(calls):
        tenant, call = TENANTS[number % len(TENANTS)], str(uuid.uuid4())
        request = {"tenantId": tenant, "callId": call, "changeType": "updated", "source": "webhook", "receivedAt": now}
        yield call_key(tenant, call), orjson.dumps(request), ()


def fetch_process(lanes: Lanes, folder: Path, graph: Graph, tenants_file: Path) -> Service:
    """`ringback-enricher fetch` before this Graph, not started yet."""
    env = {
        **lanes.settings,
        "RINGBACK_TENANTS_FILE": str(tenants_file),
        "RINGBACK_GRAPH__CAFILE": str(graph.ca_file),
        "RINGBACK_PRIVACY__KEYS_FILE": str(write_pseudonym_keys(folder)),
    }
    return Service("enricher", ["ringback-enricher", "fetch"], env, folder)


class Enricher:
    """`ringback-enricher fetch`."""

    name = RINGBACK

    def __init__(self, lanes: Lanes, folder: Path, graph: Graph) -> None:
        self._service = fetch_process(lanes, folder, graph, write_tenants(folder, graph.url))
        self._fetching = _Fetching(lanes)

    async def start(self) -> None:
        """Until it has its partitions."""
        await self._service.start()

    def pids(self) -> Sequence[int]:
        """One process."""
        return [self._service.pid]

    async def run(self, load: int) -> Ran:
        """Fetch so many calls."""
        return await self._fetching.carried(self.pids(), load)

    async def stop(self) -> None:
        """Stop it."""
        await self._service.stop()


class BareScript:
    """The baseline: `bench.bare_fetch`."""

    name = "bare script, raw body"

    def __init__(self, lanes: Lanes, folder: Path, graph: Graph) -> None:
        kafka = {"bootstrap": lanes.bootstrap, "prefix": lanes.prefix}
        job = kafka | {"graph_url": graph.url, "ca_file": str(graph.ca_file)}
        job_file = folder / "bare-fetch.json"
        job_file.write_bytes(orjson.dumps(job))
        environment = clean_environment({"PYTHONPATH": str(ROOT)})
        log_file = folder / f"bare-fetch-{lanes.prefix}log"
        self._child = Child("bare-fetch", script("bench.bare_fetch", str(job_file)), environment, log_file)
        self._fetching = _Fetching(lanes)

    async def start(self) -> None:
        """Until it has its partitions."""
        await begin(self._child, lambda: READY in self._child.last_lines())

    def pids(self) -> Sequence[int]:
        """One process."""
        return [self._child.pid]

    async def run(self, load: int) -> Ran:
        """Fetch so many calls."""
        return await self._fetching.carried(self.pids(), load)

    async def stop(self) -> None:
        """Stop it."""
        await asyncio.to_thread(self._child.stop)


async def measure(bench: Round, bootstrap: str) -> list[Figures]:
    """Both contestants before both Graphs, each with topics of its own."""
    lines: list[Figures] = []
    for delay in _DELAYS_MS:
        async with open_graph(bench.folder, delay) as graph:
            for kind in (Enricher, BareScript):
                async with Lanes.open(bootstrap, *NEEDED) as lanes:
                    lines.append(await _one(bench, kind(lanes, bench.folder, graph), f"{delay} ms answers"))
    return lines


async def _one(bench: Round, contestant: Enricher | BareScript, load: str) -> Figures:
    await contestant.start()
    try:
        await contestant.run(_WARM)
        calls = max(_WARM, int(bench.seconds * _GUESS))
        return await bench.measure(("enricher", load), contestant, calls, baseline=contestant.name != RINGBACK)
    finally:
        await contestant.stop()
