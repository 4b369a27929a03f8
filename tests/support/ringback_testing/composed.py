"""The stack of docker-compose.yml on the engine that answers, under a project name of its own."""

import json
import os
import shlex
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

ROOT = Path(__file__).parents[3]
_CONTROL = """
import sys, urllib.request
print(urllib.request.urlopen("http://127.0.0.1:8444/control/" + sys.argv[1], timeout=60).read().decode())
"""
_STORED = "SELECT tenant_id, call_id, version FROM callrecords.call"

T = TypeVar("T")

Call = tuple[str, str]
"""(tenant id, call id)"""


def compose_command() -> list[str]:
    """`docker compose`, or what COMPOSE names: another binary of it."""
    return shlex.split(os.environ.get("COMPOSE", "docker compose"))


@dataclass(frozen=True)
class Composed:
    """One stack; every method waits for the engine's answer and fails with what it said.

    Attributes:
        project: its containers, volumes and network bear this name.
        variables: of the shell that compose runs in.
    """

    project: str
    variables: dict[str, str] = field(default_factory=dict[str, str])

    def compose(self, *arguments: str, timeout: float = 300) -> str:
        """`docker compose …`; its standard output."""
        return _run([*compose_command(), "--project-name", self.project, *arguments], self.variables, timeout)

    def docker(self, *arguments: str) -> str:
        """`docker …`; its standard output."""
        return _run(["docker", *arguments], {}, 300)

    def container(self, service: str, number: int = 1) -> str:
        """The container's name."""
        return f"{self.project}-{service}-{number}"

    def kill(self, service: str) -> None:
        """SIGKILL, then started again: the engine takes its own kill for a stop that was wanted."""
        self.docker("kill", self.container(service))
        self.docker("start", self.container(service))

    def inspect(self, service: str) -> dict[str, Any]:
        """What the engine knows of a container."""
        inspected: list[dict[str, Any]] = json.loads(self.docker("inspect", self.container(service)))
        return inspected[0]

    def query(self, statement: str, role: str = "ringback") -> str:
        """Rows of the store, as psql's unaligned lines, by way of the server's own socket."""
        psql = ["psql", "-U", role, "-d", "ringback", "-AtX", "-v", "ON_ERROR_STOP=1", "-c", statement]
        return self.docker("exec", self.container("postgres"), *psql)

    def control(self, path: str) -> str:
        """A GET of the simulator's control API."""
        return self.docker("exec", self.container("graph-simulator"), "python", "-c", _CONTROL, path)

    def expected(self) -> dict[Call, int]:
        """The newest version of each call of which a genuine notification was answered 2xx."""
        calls = [json.loads(line) for line in self.control("expected").splitlines() if line]
        return {(one["tenantId"], one["callId"]): max(map(int, one["accepted"])) for one in calls if one["accepted"]}

    def stored(self) -> dict[Call, int]:
        """The version of each call that is stored."""
        rows = [line.split("|") for line in self.query(_STORED).splitlines()]
        return {(tenant, call): int(version) for tenant, call, version in rows}

    def workday(self) -> dict[str, Any]:
        """How far the simulator's day is."""
        progress: dict[str, Any] = json.loads(self.control("workday"))
        return progress


def until(ask: Callable[[], T], seconds: float, what: str) -> T:
    """Ask twice a second until the answer is true; it. Raises AssertionError with `what` after so many seconds."""
    deadline = time.monotonic() + seconds
    while not (answer := ask()):
        assert time.monotonic() < deadline, f"not within {seconds:.0f} s: {what}"
        time.sleep(0.5)
    return answer


def lost_or_stale(expected: dict[Call, int], stored: dict[Call, int]) -> set[Call]:
    """Calls that are missing, or stored in an older version than was announced."""
    return {call for call, version in expected.items() if stored.get(call, 0) < version}


def _run(command: list[str], variables: dict[str, str], timeout: float) -> str:
    ended = subprocess.run(
        command,
        cwd=ROOT,
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        check=False,
        timeout=timeout,
    )
    assert ended.returncode == 0, f"{shlex.join(command)} ended with {ended.returncode}:\n{ended.stderr[-3000:]}"
    return ended.stdout
