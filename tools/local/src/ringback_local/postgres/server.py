"""A PostgreSQL, whoever runs it."""

import struct
from typing import Protocol

from ringback_local.servers import NotOurs, ask

__all__ = ["Postgres", "Server", "accepts"]

_PROTOCOL_3 = 196_608


class Server(Protocol):
    """One PostgreSQL process, or container, of ours."""

    @property
    def pid(self) -> int:
        """The postmaster's process id."""
        ...

    @property
    def running(self) -> bool:
        """Whether it was started and has not ended."""
        ...

    def start(self, timeout: float = ...) -> None:
        """Start, and return when it accepts connections."""
        ...

    def stop(self) -> None:
        """An orderly stop."""
        ...

    def kill(self) -> None:
        """Sudden death."""
        ...

    def pause(self) -> None:
        """Freeze."""
        ...

    def resume(self) -> None:
        """Thaw."""
        ...


class Postgres:
    """A PostgreSQL to test or to run against. Data and port are kept when it dies and starts again."""

    def __init__(self, dsn: str, server: Server | None = None) -> None:
        self.dsn = dsn
        self._server = server

    @property
    def owned(self) -> bool:
        """Whether we run it."""
        return self._server is not None

    @property
    def pid(self) -> int:
        """The postmaster's process id; raises NotOurs."""
        return self._ours().pid

    @property
    def running(self) -> bool:
        """Whether it was started and has not ended; raises NotOurs."""
        return self._ours().running

    def start(self, timeout: float = 60.0) -> None:
        """Start, and return when it accepts connections; raises NotOurs."""
        self._ours().start(timeout)

    def stop(self) -> None:
        """An orderly stop that ends connections; raises NotOurs."""
        self._ours().stop()

    def kill(self) -> None:
        """SIGKILL to the postmaster and its backends; raises NotOurs."""
        self._ours().kill()

    def pause(self) -> None:
        """SIGSTOP to the postmaster and its backends; raises NotOurs."""
        self._ours().pause()

    def resume(self) -> None:
        """SIGCONT to the postmaster and its backends; raises NotOurs."""
        self._ours().resume()

    def _ours(self) -> Server:
        if self._server is None:
            raise NotOurs("this PostgreSQL is not run by us")
        return self._server


def accepts(port: int) -> bool:
    """Whether a server on this port lets `postgres` in: it answers a startup message with R, or E while it starts."""
    body = struct.pack("!i", _PROTOCOL_3) + b"user\0postgres\0database\0postgres\0\0"
    return ask(port, struct.pack("!i", len(body) + 4) + body, 1) == b"R"
