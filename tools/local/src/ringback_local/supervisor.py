"""Start processes in the order they need each other, keep them running, stop them in reverse."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Self

import aiohttp
from ringback_common.errors import ConfigError

from ringback_local.polling import until
from ringback_local.servers import StartFailed
from ringback_local.specs import ProcessSpec
from ringback_local.supervised import Event, ProcessHealth, State, Supervised

__all__ = ["Supervisor"]

_STOP_SECONDS = 20.0


class Supervisor:
    """Keeps the processes of an installation running.

    An async context manager: entered it has started all of them, though not waited for them; left it has stopped them,
    the last of `specs` first.
    """

    def __init__(self, specs: Sequence[ProcessSpec], folder: Path) -> None:
        self.events: list[Event] = []
        self._processes = {spec.name: Supervised(spec, folder, self.events.append) for spec in specs}
        self._keepers: dict[str, asyncio.Task[None]] = {}
        self._watchers: list[asyncio.Task[None]] = []
        self._session: aiohttp.ClientSession | None = None

    @property
    def processes(self) -> Mapping[str, Supervised]:
        """By name."""
        return MappingProxyType(self._processes)

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=2))
        for name, process in self._processes.items():
            self._watchers.append(asyncio.create_task(process.watch(self._session), name=f"watch {name}"))
            self._keepers[name] = asyncio.create_task(self._run(process), name=f"keep {name}")
        return self

    async def __aexit__(self, *_failure: object) -> None:
        for name, process in reversed(self._processes.items()):
            await self._stop(name, process)
        for watcher in self._watchers:
            watcher.cancel()
        await asyncio.gather(*self._watchers, return_exceptions=True)
        if self._session is not None:
            await self._session.close()

    async def all_ready(self, seconds: float = 60.0) -> None:
        """Wait until every process is ready; see `ready` for what it raises."""
        deadline = time.monotonic() + seconds
        for name in self._processes:
            await self.ready(name, deadline - time.monotonic())

    async def ready(self, name: str, timeout: float = 30.0) -> None:  # noqa: ASYNC109 - it raises an error of its own
        """Wait until a process is ready.

        Raises:
            ConfigError: it ended with exit code 2; the message is its own sentence.
            StartFailed: it was not ready within `timeout` seconds.
        """
        process = self._processes[name]
        await until(lambda: process.state in {State.READY, State.MISCONFIGURED}, timeout)
        if process.state is State.MISCONFIGURED:
            raise ConfigError(f"{name}: {process.reason}")
        if process.state is not State.READY:
            raise StartFailed(f"{name} is not ready ({process.reason}); its last lines:\n{process.last_lines()}")

    def health(self) -> list[ProcessHealth]:
        """What is known of each process now, in their order."""
        return [process.health() for process in self._processes.values()]

    def kill(self, name: str) -> None:
        """SIGKILL; it is started again after a pause."""
        self._processes[name].kill()

    def terminate(self, name: str) -> None:
        """SIGTERM; it is started again once it has ended."""
        self._processes[name].terminate()

    def pause(self, name: str) -> None:
        """SIGSTOP; it is not taken for dead."""
        self._processes[name].pause()

    def resume(self, name: str) -> None:
        """SIGCONT."""
        self._processes[name].resume()

    async def _run(self, process: Supervised) -> None:
        before = [self._processes[name] for name in process.spec.after]
        await until(lambda: all(other.state is State.READY for other in before))
        await process.keep_running()

    async def _stop(self, name: str, process: Supervised) -> None:
        if process.state is State.WAITING:
            self._keepers[name].cancel()
        await process.stop(_STOP_SECONDS)
        if process.state is State.RESTARTING:
            self._keepers[name].cancel()  # it sleeps, up to ten seconds, before it would notice
        await asyncio.gather(self._keepers[name], return_exceptions=True)
