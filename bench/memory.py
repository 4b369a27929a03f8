"""`python -m bench.memory`: the largest meetings at once, under the memory that the manifests grant.

Sixteen meetings of 500 sessions, sixteen of 1,000 and one at the limit come at once, through a real Kafka into a real
PostgreSQL. The kernel ends a process that needs more than its manifest says, where control groups may be made.
"""

import argparse
import asyncio
import logging
import re
import sys
import time
import urllib.request
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import asyncpg
import orjson
import uvloop
import yaml
from ringback_common.settings import LimitsSettings
from ringback_events import topics
from ringback_events.keys import call_key
from ringback_events.times import wire_time
from ringback_faults.memory import Memory, open_memory
from ringback_local.child import Child, clean_environment
from ringback_local.kafka import open_broker
from ringback_local.postgres import open_postgres
from ringback_local.specs import ProcessSpec

from bench.kafka import Lanes
from bench.paged_graph import HOST, json_bytes
from bench.programs import ROOT, Service, begin, free_ports, listens, script
from bench.store import database
from bench.tenants import TENANTS, write_pseudonym_keys, write_tenants

__all__ = ["Outcome", "measure"]

MEETINGS = (500,) * 16 + (1000,) * 16 + (4260,)
"""Sessions of each; the last has 99.9 % of the bytes a record may have."""
_MIB = 1024 * 1024
_PATIENCE = 600.0
_TOPICS = (
    *(*topics.FETCH_LANES, topics.AUDIT),
    *(topics.INTERNAL_DEAD_LETTERS, topics.RESTRICTED_DEAD_LETTERS, topics.CONTROL, topics.STATUS),
    *(topics.RECORDS, topics.SESSIONS, topics.CALLS),
)
_REBALANCES = re.compile(r"^ringback_stream_rebalances_total\{.*\} ([0-9.e+]+)$", re.MULTILINE)


@dataclass
class Outcome:
    """What a run showed; memory in MiB by process."""

    stored: int = 0
    seconds: float = 0.0
    granted: dict[str, int] = field(default_factory=dict[str, int])
    peak: dict[str, int] = field(default_factory=dict[str, int])
    rebalances: dict[str, float] = field(default_factory=dict[str, float])
    slowest: dict[str, float] = field(default_factory=dict[str, float])
    """Seconds of the slowest answer of the admin port: how long the event loop was away."""


class _Watched:
    """One of the two processes, under its cap, looked at four times a second."""

    def __init__(self, name: str, command: Sequence[str], env: dict[str, str], memory: Memory, folder: Path) -> None:
        capped = memory.adapted(ProcessSpec(name, tuple(command), ""))
        self.name, self.service = name, Service(name, capped.command, env, folder)
        self.slowest = 0.0

    async def watch(self) -> None:
        """Until cancelled."""
        while True:
            began = time.monotonic()
            await asyncio.to_thread(self.metrics, "livez")
            self.slowest = max(self.slowest, time.monotonic() - began)
            await asyncio.sleep(0.25)

    def metrics(self, page: str = "metrics") -> str:
        """A page of the admin port."""
        url = f"http://127.0.0.1:{self.service.port}/{page}"
        with urllib.request.urlopen(url, timeout=30) as answer:
            return answer.read().decode()

    def peak(self) -> int:
        """MiB it had at most."""
        found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{self.service.pid}/status").read_text(encoding="utf-8"))
        return int(found[1]) // 1024 if found else 0


def granted(process: str) -> int:
    """MiB of a process by its manifest."""
    file = ROOT / "deploy" / "k8s" / "base" / process / "deployment.yaml"
    pod: Any = yaml.safe_load(file.read_text(encoding="utf-8"))["spec"]["template"]["spec"]
    return int(pod["containers"][0]["resources"]["limits"]["memory"].removesuffix("Mi"))


async def measure(meetings: Sequence[int]) -> Outcome:
    """Let them come, and wait until all are stored.

    Raises:
        TimeoutError: they were not within ten minutes.
    """
    caps = {name: granted(name) for name in ("enricher", "store")}
    with TemporaryDirectory(prefix="ringback-memory-") as name, open_broker() as broker, open_postgres() as postgres:
        folder = Path(name)
        with open_memory(caps) as memory:
            async with database(postgres, "memory") as dsn, Lanes.open(broker.bootstrap_servers, *_TOPICS) as lanes:
                return await _run(meetings, folder, memory, dsn, lanes, Outcome(granted=caps))


async def _run(
    meetings: Sequence[int], folder: Path, memory: Memory, dsn: str, lanes: Lanes, outcome: Outcome
) -> Outcome:
    calls = {str(uuid.uuid4()): sessions for sessions in meetings}
    graph, url, ca_file = await _graph(folder, calls)
    env = {
        **lanes.settings,
        "RINGBACK_TENANTS_FILE": str(write_tenants(folder, url)),
        "RINGBACK_GRAPH__CAFILE": str(ca_file),
        "RINGBACK_PRIVACY__KEYS_FILE": str(write_pseudonym_keys(folder)),
        "RINGBACK_STORE__DSN": dsn,
    }
    commands = {"enricher": ("ringback-enricher", "fetch"), "store": ("ringback-sink", "store")}
    watched = [_Watched(name, command, env, memory, folder) for name, command in commands.items()]
    watching: list[asyncio.Task[None]] = []
    try:
        for one in watched:
            await one.service.start()
            watching.append(asyncio.create_task(one.watch()))
        began = time.monotonic()
        await lanes.fill(topics.FETCH_BULK, _requests(calls))
        outcome.stored = await _stored(dsn, len(calls), watching)
        outcome.seconds = time.monotonic() - began
        for one in watched:
            outcome.peak[one.name], outcome.slowest[one.name] = one.peak(), one.slowest
            outcome.rebalances[one.name] = sum(map(float, _REBALANCES.findall(one.metrics())))
    finally:
        for task in watching:
            task.cancel()
        for one in watched:
            await one.service.stop()
        await asyncio.to_thread(graph.stop)
    return outcome


async def _graph(folder: Path, calls: dict[str, int]) -> tuple[Child, str, Path]:
    [port] = free_ports(1)
    job = folder / "meetings.json"
    job.write_bytes(orjson.dumps(calls))
    command = script("bench.paged_graph", str(folder), str(port), str(job))
    child = Child("graph", command, clean_environment({"PYTHONPATH": str(ROOT)}), folder / "graph.log")
    await begin(child, lambda: listens(port))
    return child, f"https://{HOST}:{port}", folder / "ca.pem"


def _requests(calls: dict[str, int]) -> Any:
    now = wire_time(datetime.now(UTC))
    for number, call in enumerate(calls):
        tenant = TENANTS[number % len(TENANTS)]
        request = {
            "tenantId": tenant,
            "callId": call,
            "changeType": "updated",
            "source": "reconcile",
            "receivedAt": now,
        }
        yield call_key(tenant, call), orjson.dumps(request), ()


async def _stored(dsn: str, whole: int, watching: Sequence[asyncio.Task[None]]) -> int:
    connection: Any = await asyncpg.connect(dsn)
    try:
        async with asyncio.timeout(_PATIENCE):
            while True:
                count: int = await connection.fetchval(
                    "SELECT count(*) FROM callrecords.call WHERE document IS NOT NULL"
                )
                if count >= whole:
                    return count
                await asyncio.wait(watching, timeout=0.25, return_when=asyncio.FIRST_COMPLETED)
                for task in watching:
                    if task.done():
                        task.result()  # its process ended
    finally:
        await connection.close()


def main() -> int:
    """Measure and print; 1 if a process took more than it is granted, or left its group."""
    parser = argparse.ArgumentParser(prog="python -m bench.memory", description="The largest meetings at once.")
    parser.add_argument("--sessions", type=int, nargs="*", default=MEETINGS, help="of each meeting")
    given = parser.parse_args()
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # a topic just made is unknown for a moment
    largest = json_bytes(max(given.sessions))
    outcome = uvloop.run(measure(given.sessions))
    limit = LimitsSettings().record_bytes
    print(
        f"{outcome.stored} meetings stored in {outcome.seconds:.0f} s, the largest of {largest / _MIB:.2f} MiB of JSON"
    )
    print(f"({largest / limit:.1%} of the limit).")
    for name, cap in outcome.granted.items():
        print(
            f"{name}: peak {outcome.peak[name]} of {cap} MiB, slowest answer {outcome.slowest[name]:.2f} s, "
            f"{outcome.rebalances[name]:.0f} assignments ended"
        )
    return int(any(outcome.rebalances.values()))


if __name__ == "__main__":
    sys.exit(main())
