"""Ringback's processes as a test starts them: the installed commands, an environment of their own, logs as data."""

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import aiohttp
import orjson
from ringback_local.child import Child, clean_environment, installed
from ringback_local.ports import lease_ports

from ringback_testing.transcript import TRANSCRIPT, secrets_of
from ringback_testing.waiting import eventually


class RunningProcess:
    """One process under test."""

    def __init__(self, child: Child, admin_port: int) -> None:
        self._child = child
        self.admin_port = admin_port

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._child.pid

    @property
    def returncode(self) -> int | None:
        """None while it runs."""
        return self._child.returncode

    def output(self) -> str:
        """What it printed so far, on both streams."""
        return self._child.log_file.read_text(errors="replace")

    def logs(self) -> list[dict[str, Any]]:
        """Its log lines so far; what is not a JSON object is left out, see `output`."""
        lines = self.output().splitlines()
        return [orjson.loads(line) for line in lines if line.startswith("{") and line.endswith("}")]

    async def metrics(self) -> str:
        """The text of /metrics."""
        async with aiohttp.ClientSession() as session, session.get(self._admin("/metrics")) as answer:
            text = await answer.text()
        TRANSCRIPT.said(f"metrics of {self._child.name}", text.encode())
        return text

    async def ready(self) -> bool:
        """Whether /readyz answers 200 now."""
        patience = aiohttp.ClientTimeout(total=2)
        try:
            async with (
                aiohttp.ClientSession(timeout=patience) as session,
                session.get(self._admin("/readyz")) as answer,
            ):
                return answer.status == 200
        except (aiohttp.ClientError, TimeoutError):
            return False

    async def wait_ready(self, timeout: float) -> None:
        """Wait until it is ready; raises AssertionError with its output if it ends or stays unready."""

        async def ready_or_ended() -> bool:
            return self.returncode is not None or await self.ready()

        try:
            await eventually(ready_or_ended, timeout)
        except AssertionError:
            raise AssertionError(f"{self._child.name} is not ready:\n{self._child.last_lines()}") from None
        if self.returncode is not None:
            raise AssertionError(f"{self._child.name} ended with {self.returncode}:\n{self._child.last_lines()}")

    async def stop(self, timeout: float = 20.0) -> int:
        """SIGTERM; the exit code. Raises AssertionError if it has not ended after `timeout` seconds."""
        self._child.terminate()
        return await self.exited(timeout)

    async def exited(self, timeout: float = 20.0) -> int:
        """Wait for its end; the exit code."""
        await eventually(lambda: self.returncode is not None, timeout)
        assert self.returncode is not None
        return self.returncode

    def kill(self) -> None:
        """SIGKILL."""
        self._child.kill()

    def pause(self) -> None:
        """SIGSTOP."""
        self._child.pause()

    def resume(self) -> None:
        """SIGCONT."""
        self._child.resume()

    def _admin(self, path: str) -> str:
        return f"http://127.0.0.1:{self.admin_port}{path}"


class ProcessFactory:
    """Starts processes for one test and ends them after it."""

    def __init__(self, folder: Path, resources: ExitStack) -> None:
        self._folder = folder
        self._resources = resources
        self._count = 0

    async def __call__(
        self,
        name: str,
        command: Sequence[str],
        env: Mapping[str, str] | None = None,
        *,
        ready: bool = True,
        timeout: float = 30.0,
    ) -> RunningProcess:
        """Start a command of this environment, e.g. `["ringback-enricher", "fetch"]`.

        It sees the dev profile, an admin port of its own and `env`, and no other RINGBACK_ variable. With `ready` the
        call returns once /readyz answers 200.
        """
        [port] = self._resources.enter_context(lease_ports(1))
        self._count += 1
        log_file = self._folder / f"{name}-{self._count}.log"
        child = Child(name, installed(command), _environment(port, env or {}), log_file)
        TRANSCRIPT.plant(await asyncio.to_thread(secrets_of, env or {}))
        self._resources.callback(lambda: TRANSCRIPT.said(f"log of {name}", log_file.read_bytes()))
        self._resources.callback(child.stop, 10.0)
        await asyncio.to_thread(log_file.touch)
        child.spawn()
        process = RunningProcess(child, port)
        if ready:
            await process.wait_ready(timeout)
        return process


def _environment(admin_port: int, env: Mapping[str, str]) -> dict[str, str]:
    ours = {
        "RINGBACK_PROFILE": "dev",
        "RINGBACK_INSTALLATION_ID": "test",
        "RINGBACK_ADMIN__HOST": "127.0.0.1",
        "RINGBACK_ADMIN__PORT": str(admin_port),
    }
    return clean_environment({**ours, **env})
