"""The Graph simulator as a process of ours."""

import os
import sys
from collections.abc import AsyncIterator, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import orjson

from ringback_local.child import Child
from ringback_local.servers import wait_until

__all__ = ["RunningSimulator", "ledger", "open_simulator", "read_announcement", "simulator_command"]


@dataclass(frozen=True)
class RunningSimulator:
    """Where a simulator answers.

    Attributes:
        graph_url: root of Graph, without /v1.0.
        authority_url: root of the token endpoint.
        control_url: plain http, loopback only.
        ca_file: what to trust for the two https URLs.
        ledger_file: what it served and was answered, one JSON object a line.
        pid: its process id.
    """

    graph_url: str
    authority_url: str
    control_url: str
    ca_file: Path
    ledger_file: Path
    pid: int


def simulator_command(workdir: Path, port: int, control_port: int, time_scale: float, seed: int) -> list[str]:
    """The command line of a simulator with fixed ports, so that it may be restarted unnoticed."""
    ports = ["--port", str(port), "--control-port", str(control_port)]
    options = ["--workdir", str(workdir), "--seed", str(seed), "--time-scale", str(time_scale)]
    return [sys.executable, "-m", "ringback_graph_simulator", "serve", *ports, *options]


def read_announcement(log_file: Path) -> RunningSimulator | None:
    """The newest announcement of readiness in what a simulator printed, None before there is one."""
    if not log_file.exists():
        return None
    for line in reversed(log_file.read_bytes().splitlines()):
        if line.startswith(b'{"ready"'):
            return _announced(orjson.loads(line))
    return None


def _announced(said: dict[str, str]) -> RunningSimulator:
    return RunningSimulator(
        graph_url=said["graphUrl"],
        authority_url=said["authorityUrl"],
        control_url=said["controlUrl"],
        ca_file=Path(said["caFile"]),
        ledger_file=Path(said["ledgerFile"]),
        pid=int(said["pid"]),
    )


async def ledger(control: aiohttp.ClientSession, kind: str) -> AsyncIterator[dict[str, Any]]:
    """Every line of one kind of the simulator's ledger, oldest first, asked of its control API."""
    offset = 0
    while True:
        query = {"offset": str(offset), "limit": "5000", "kind": kind}
        async with control.get("/control/ledger", params=query) as answer:
            page = orjson.loads(await answer.read())
        for line in page["lines"]:
            yield line
        if page["nextOffset"] == offset:
            return
        offset = page["nextOffset"]


@contextmanager
def open_simulator(workdir: Path, time_scale: float = 1.0, seed: int = 1) -> Generator[RunningSimulator]:
    """Yield a running simulator on free ports, stopped afterwards; raises StartFailed."""
    command = simulator_command(workdir, 0, 0, time_scale, seed)
    child = Child("simulator", command, os.environ, workdir / "simulator.log")
    child.spawn()
    try:
        wait_until(lambda: read_announcement(child.log_file) is not None, child, timeout=30)
        running = read_announcement(child.log_file)
        if running is None:
            raise RuntimeError("the simulator took back its announcement")
        yield running
    finally:
        child.stop()
