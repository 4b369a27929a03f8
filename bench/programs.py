"""Programs a measurement starts: Ringback's own, as an operator would start them, and those of this folder."""

import asyncio
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from ringback_local.child import Child, clean_environment, installed
from ringback_local.ports import lease_ports
from ringback_local.servers import StartFailed

__all__ = [
    "ROOT",
    "SOURCES",
    "Service",
    "answers",
    "begin",
    "free_ports",
    "listens",
    "migrated",
    "script",
    "sources",
    "until",
]

ROOT = Path(__file__).parents[1]
SOURCES = "BENCH_SOURCES"
"""The variable that names the tree whose packages Ringback's processes run; by default those that are installed."""
_PATIENCE = 60.0


def sources() -> dict[str, str]:
    """The environment that puts the packages of another tree before the installed ones."""
    tree = os.environ.get(SOURCES)
    return {} if not tree else {"PYTHONPATH": os.pathsep.join(map(str, sorted(Path(tree).glob("*/*/src"))))}


def free_ports(count: int) -> list[int]:
    """Ports on which no process listened a moment ago."""
    with lease_ports(count) as ports:
        return list(ports)


def script(module: str, *arguments: str) -> list[str]:
    """The command line of a module of this folder."""
    return [sys.executable, "-m", module, *arguments]


def answers(url: str) -> bool:
    """Whether a GET is answered 2xx; an answer of another kind means no."""
    try:
        with urllib.request.urlopen(url, timeout=2):  # noqa: S310 - a loopback URL of our own
            return True
    except (urllib.error.URLError, TimeoutError, ConnectionError):
        return False


def listens(port: int) -> bool:
    """Whether a process accepts connections on a loopback port."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


async def begin(child: Child, ready: Callable[[], bool]) -> None:
    """Start a program and wait until it is ready; raises StartFailed with the end of its log."""
    child.spawn()
    await until(lambda: _ready_or_ended(child, ready), f"{child.name} to become ready")
    if child.returncode is not None:
        raise StartFailed(f"{child.name} ended with {child.returncode}:\n{child.last_lines()}")


def _ready_or_ended(child: Child, ready: Callable[[], bool]) -> bool:
    return child.returncode is not None or ready()


async def until(condition: Callable[[], bool], what: str, patience: float = _PATIENCE) -> None:
    """Wait for a blocking condition; raises TimeoutError that says what was waited for."""
    deadline = time.monotonic() + patience
    while not await asyncio.to_thread(condition):
        if time.monotonic() > deadline:
            raise TimeoutError(f"waited {patience:.0f} s for {what}")
        await asyncio.sleep(0.05)


async def migrated(dsn: str) -> None:
    """Give a database the schema of the tree whose packages run; raises StartFailed with what `migrate` says."""
    settings = {"RINGBACK_PROFILE": "dev", "RINGBACK_INSTALLATION_ID": "bench", "RINGBACK_STORE__DSN": dsn, **sources()}
    command, env = installed(["ringback-sink", "migrate"]), clean_environment(settings)
    ended = await asyncio.to_thread(subprocess.run, command, env=env, capture_output=True, text=True, check=False)
    if ended.returncode:
        raise StartFailed(f"migrate ended with {ended.returncode}:\n{ended.stderr}")


class Service:
    """One of Ringback's processes, with an admin port of its own."""

    def __init__(self, name: str, command: Sequence[str], env: Mapping[str, str], folder: Path) -> None:
        [self.port] = free_ports(1)
        """Its admin port."""
        settings = {
            "RINGBACK_PROFILE": "dev",
            "RINGBACK_INSTALLATION_ID": "bench",
            "RINGBACK_ADMIN__HOST": "127.0.0.1",
            "RINGBACK_ADMIN__PORT": str(self.port),
            **sources(),
            **env,
        }
        self._child = Child(name, installed(command), clean_environment(settings), folder / f"{name}.log")

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._child.pid

    async def start(self) -> None:
        """Return when it is ready."""
        await begin(self._child, lambda: answers(f"http://127.0.0.1:{self.port}/readyz"))

    def check(self) -> None:
        """Raises StartFailed, with the end of its log, if it has ended."""
        if self._child.returncode is not None:
            raise StartFailed(f"{self._child.name} ended with {self._child.returncode}:\n{self._child.last_lines()}")

    async def stop(self) -> None:
        """SIGTERM and wait."""
        await asyncio.to_thread(self._child.stop)
