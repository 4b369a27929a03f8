"""Liveness is progress, readiness is fitness; both, and the metrics, on an admin port of their own."""

import asyncio
import json
import socket
from collections.abc import Awaitable, Callable, Generator
from contextlib import contextmanager, suppress
from typing import Any

import uvicorn

from ringback_common.errors import ConfigError
from ringback_common.metrics import exposition
from ringback_common.settings import AdminSettings

__all__ = ["AdminServer", "Check", "Health"]

Check = Callable[[], str | None]
"""Returns None when all is well, else a sentence for the operator without data in it."""

Send = Callable[[dict[str, Any]], Awaitable[None]]


class Health:
    """The named checks of a process. Before its first check is registered a process is live and not ready."""

    def __init__(self) -> None:
        self._live: dict[str, Check] = {}
        self._ready: dict[str, Check] = {}

    def live(self, name: str, check: Check) -> None:
        """Add a check of liveness: while it fails, the orchestrator should restart the process."""
        self._live[name] = check

    def ready(self, name: str, check: Check) -> None:
        """Add a check of readiness: while it fails, the process should be given no work."""
        self._ready[name] = check

    def failing_live(self) -> dict[str, str]:
        """Failing liveness checks, by name."""
        return _failing(self._live)

    def failing_ready(self) -> dict[str, str]:
        """Failing readiness checks, by name; a process without any is not ready."""
        return _failing(self._ready) if self._ready else {"start": "The process is starting."}


def _failing(checks: dict[str, Check]) -> dict[str, str]:
    answers = {name: check() for name, check in checks.items()}
    return {name: sentence for name, sentence in answers.items() if sentence is not None}


class _SignalFreeServer(uvicorn.Server):
    """A server that installs no signal handlers: `ringback_common.process` has those of the process."""

    @contextmanager
    def capture_signals(self) -> Generator[None]:
        yield


class AdminServer:
    """Serves `/livez`, `/readyz` and `/metrics`; answers 503 with the failing checks as JSON."""

    def __init__(self, health: Health, settings: AdminSettings) -> None:
        self._health = health
        self._settings = settings
        self._server: uvicorn.Server | None = None
        self._task: asyncio.Task[None] | None = None
        self.port = settings.port

    async def start(self) -> None:
        """Listen; with port 0 `port` says afterwards which one it became.

        Raises:
            ConfigError: the address is not this machine's, or the port is taken.
        """
        try:
            listener = socket.create_server((self._settings.host, self._settings.port), backlog=16)
        except OSError:
            raise ConfigError(
                f"RINGBACK_ADMIN__HOST and __PORT cannot be listened on: {self._settings.host}:{self._settings.port}."
            ) from None
        self.port = listener.getsockname()[1]
        config = uvicorn.Config(
            self._answer, interface="asgi3", log_config=None, access_log=False, lifespan="off", server_header=False
        )
        self._server = _SignalFreeServer(config)
        self._task = asyncio.create_task(self._server.serve([listener]), name="admin")

    async def stop(self) -> None:
        """Close the port."""
        if self._server is None or self._task is None:
            return
        self._server.should_exit = True
        with suppress(asyncio.CancelledError):
            await self._task

    async def _answer(self, scope: dict[str, Any], _receive: object, send: Send) -> None:
        path, method = scope.get("path", ""), scope.get("method", "")
        if method not in {"GET", "HEAD"}:
            await _reply(send, 405, b"", "text/plain")
        elif path == "/metrics":
            await _reply(send, 200, exposition(), "text/plain; version=0.0.4; charset=utf-8")
        elif path in {"/livez", "/readyz"}:
            failing = self._health.failing_live() if path == "/livez" else self._health.failing_ready()
            await _reply(
                send, 503 if failing else 200, json.dumps(failing or {"ok": True}).encode(), "application/json"
            )
        else:
            await _reply(send, 404, b"", "text/plain")


async def _reply(send: Send, status: int, body: bytes, content_type: str) -> None:
    headers = [(b"content-type", content_type.encode()), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
