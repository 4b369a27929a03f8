"""One process under supervision: started, watched, started again when it dies."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path

import aiohttp
import psutil
from ringback_common.process import EXIT_CONFIGURATION

from ringback_local.child import Child, clean_environment, installed
from ringback_local.polling import until
from ringback_local.specs import ProcessSpec

__all__ = ["Event", "ProcessHealth", "State", "Supervised", "pause_before_restart"]

_READY_POLL = 0.25
_LONG_LIFE = 30.0
"""Seconds after which a death no longer counts as one of a series."""


class State(StrEnum):
    """Where a supervised process is in its life."""

    WAITING = "waiting"
    """For the processes it comes after."""
    STARTING = "starting"
    READY = "ready"
    NOT_READY = "not ready"
    """It was ready before."""
    RESTARTING = "restarting"
    """It died and waits for its next start."""
    STOPPED = "stopped"
    MISCONFIGURED = "misconfigured"
    """It ended with exit code 2; starting it again would not help."""


@dataclass(frozen=True)
class Event:
    """Something that happened to a process; `what` is started, died, paused, resumed, stopped or misconfigured."""

    at: datetime
    name: str
    what: str
    exit_code: int | None = None


@dataclass(frozen=True)
class ProcessHealth:
    """What is known of a process now. `rss` is in bytes; `reason` says why it is not ready."""

    name: str
    pid: int | None
    state: State
    ready: bool
    reason: str
    restarts: int
    rss: int


def pause_before_restart(deaths_in_a_row: int) -> float:
    """Seconds: 0.25, doubled with each death in a row, at most 10."""
    return min(10.0, 0.25 * 2 ** (deaths_in_a_row - 1))


class Supervised:
    """A process that is kept running until it is stopped."""

    def __init__(self, spec: ProcessSpec, folder: Path, tell: Callable[[Event], None]) -> None:
        self.spec = spec
        self.state = State.WAITING
        self.reason = ""
        self.restarts = 0
        self._tell = tell
        self._stopping = False
        environment = clean_environment(spec.env)
        self._child = Child(spec.name, installed(spec.command), environment, folder / f"{spec.name}.log")

    @property
    def pid(self) -> int:
        """Of the newest process; raises RuntimeError before the first."""
        return self._child.pid

    @property
    def admin_port(self) -> int | None:
        """Where its metrics are."""
        return self.spec.admin_port

    @property
    def log_file(self) -> Path:
        """What all its processes printed."""
        return self._child.log_file

    def last_lines(self) -> str:
        """The end of its log."""
        return self._child.last_lines()

    async def keep_running(self) -> None:
        """Start it, and again whenever it ends, until `stop`; a configuration mistake ends this."""
        deaths = 0
        while not self._stopping:
            started = time.monotonic()
            self._start()
            await until(lambda: not self._child.running)
            code = self._child.returncode
            if self._stopping or code == EXIT_CONFIGURATION:
                break
            deaths = 1 if time.monotonic() - started > _LONG_LIFE else deaths + 1
            self._died(code)
            await asyncio.sleep(pause_before_restart(deaths))
            self.restarts += 1
        self._finish()

    async def watch(self, session: aiohttp.ClientSession) -> None:
        """Ask it for its readiness, for ever."""
        while True:
            if self._child.running and not self._stopping:
                await self._ask(session)
            await asyncio.sleep(_READY_POLL)

    async def stop(self, seconds: float) -> None:
        """SIGTERM, SIGKILL after `seconds`; it is not started again."""
        self._stopping = True
        self._child.terminate()
        await until(lambda: not self._child.running, seconds)
        self._child.kill()

    def kill(self) -> None:
        """SIGKILL; it will be started again."""
        self._child.kill()
        self._not_ready(State.RESTARTING, "It was killed.")

    def terminate(self) -> None:
        """SIGTERM; it will be started again once it has ended, and its `died` event tells the exit code."""
        self._child.terminate()

    def pause(self) -> None:
        """SIGSTOP."""
        self._child.pause()
        self._event("paused")

    def resume(self) -> None:
        """SIGCONT."""
        self._child.resume()
        self._event("resumed")

    def health(self) -> ProcessHealth:
        """What is known of it now."""
        pid = self._child.pid if self._child.running else None
        ready = self.state is State.READY
        return ProcessHealth(self.spec.name, pid, self.state, ready, self.reason, self.restarts, _resident(pid))

    def _start(self) -> None:
        self._child.spawn()
        self._not_ready(State.STARTING, "It is starting.")
        self._event("started")

    def _died(self, code: int | None) -> None:
        self._not_ready(State.RESTARTING, f"It ended with {code}.")
        self._event("died", code)

    def _finish(self) -> None:
        state = State.STOPPED if self._stopping else State.MISCONFIGURED
        self._not_ready(state, "" if self._stopping else self._child.last_lines(1))
        self._event(state.value, self._child.returncode)

    async def _ask(self, session: aiohttp.ClientSession) -> None:
        pid = self._child.pid
        try:
            async with session.get(self.spec.ready_url) as answer:
                ready, reason = answer.status == 200, (await answer.text())[:200]  # noqa: PLR2004 - HTTP's OK
        except (aiohttp.ClientError, TimeoutError):
            ready, reason = False, "It does not answer."
        if pid != self._child.pid or not self._child.running:
            return  # the answer is of a process that is gone
        if ready:
            self.state, self.reason = State.READY, ""
        elif self.state is not State.STARTING:
            self._not_ready(State.NOT_READY, reason)

    def _not_ready(self, state: State, reason: str) -> None:
        self.state, self.reason = state, reason

    def _event(self, what: str, exit_code: int | None = None) -> None:
        self._tell(Event(datetime.now(UTC), self.spec.name, what, exit_code))


def _resident(pid: int | None) -> int:
    """Bytes of memory; 0 for a process that is gone."""
    if pid is None:
        return 0
    try:
        return int(psutil.Process(pid).memory_info().rss)
    except psutil.NoSuchProcess:
        return 0
