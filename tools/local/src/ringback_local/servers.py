"""What the servers we start have in common: waiting until they answer, and whose they are."""

import socket
import time
from collections.abc import Callable

from ringback_local.child import Child

__all__ = ["NotOurs", "StartFailed", "ask", "wait_until"]

_PAUSE = 0.05


class NotOurs(RuntimeError):  # noqa: N818 - it says what is wrong
    """This server is not ours: it may be used, not stopped or killed."""


class StartFailed(RuntimeError):  # noqa: N818 - it says what happened
    """A server died or did not answer in time; the message ends with the last lines of its log."""


def wait_until(ready: Callable[[], bool], child: Child, timeout: float) -> None:
    """Return once `ready()` holds.

    Raises:
        StartFailed: the child ended first, or `timeout` seconds passed.
    """
    deadline = time.monotonic() + timeout
    while not ready():
        if child.returncode is not None:
            raise StartFailed(f"{child.name} ended with {child.returncode} while it started:\n{child.last_lines()}")
        if time.monotonic() > deadline:
            raise StartFailed(f"{child.name} did not answer within {timeout:.0f} s:\n{child.last_lines()}")
        time.sleep(_PAUSE)


def ask(port: int, request: bytes, size: int) -> bytes:
    """The first `size` bytes a server on the loopback address answers to `request`; empty if it does not."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=2) as connection:
            connection.sendall(request)
            return connection.recv(size)
    except OSError:
        return b""
