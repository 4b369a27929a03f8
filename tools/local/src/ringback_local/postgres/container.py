"""PostgreSQL in a container, for a machine with a Docker engine."""

import time
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from typing import Any

from testcontainers.core.container import DockerContainer

from ringback_local.postgres.server import accepts
from ringback_local.servers import StartFailed

__all__ = ["POSTGRES_IMAGE", "ContainerServer", "open_container_server"]

POSTGRES_IMAGE = "postgres:18"
_PORT = 5432


class ContainerServer:
    """A server in a container; its data live as long as the container, over kills and starts."""

    def __init__(self, port: int, settings: Mapping[str, str]) -> None:
        self._port = port
        command = ["postgres", *(f"-c{name}={value}" for name, value in {"fsync": "off", **settings}.items())]
        self._container = (
            DockerContainer(POSTGRES_IMAGE)
            .with_env("POSTGRES_HOST_AUTH_METHOD", "trust")
            .with_bind_ports(_PORT, port)
            .with_command(command)
        )
        self._created = False

    @property
    def pid(self) -> int:
        """The postmaster's process id as the engine's host sees it."""
        engine = self._engine()
        engine.reload()
        return int(engine.attrs["State"]["Pid"])

    @property
    def running(self) -> bool:
        """Whether its container was started and has not ended."""
        if not self._created:
            return False
        engine = self._engine()
        engine.reload()
        return engine.status in {"running", "paused"}

    def start(self, timeout: float = 60.0) -> None:
        """Start, and return when it accepts connections; raises StartFailed."""
        if self._created:
            self._engine().start()
        else:
            self._container.start()
            self._created = True
        deadline = time.monotonic() + timeout
        while not accepts(self._port):
            if time.monotonic() > deadline:
                raise StartFailed(f"the container of {POSTGRES_IMAGE} did not answer within {timeout:.0f} s")
            time.sleep(0.1)

    def stop(self) -> None:
        """An orderly stop."""
        self._engine().stop(timeout=10)

    def kill(self) -> None:
        """SIGKILL."""
        self._engine().kill()

    def pause(self) -> None:
        """Freeze the container."""
        self._engine().pause()

    def resume(self) -> None:
        """Thaw the container."""
        self._engine().unpause()

    def remove(self) -> None:
        """Remove the container and its data."""
        if self._created:
            self._container.stop()

    def _engine(self) -> Any:  # the docker package ships no types
        return self._container.get_wrapped_container()


@contextmanager
def open_container_server(port: int, settings: Mapping[str, str]) -> Generator[ContainerServer]:
    """Yield a running server on this port, removed with its data afterwards; raises StartFailed."""
    server = ContainerServer(port, settings)
    try:
        server.start()
        yield server
    finally:
        server.remove()
