"""TCP ports that no other run of ours takes between choosing and binding them.

Binding port 0 and letting go of it is a race: another process may be given the same port a moment later, and a broker
that is killed could not come back to its own. A lease is a lock on a file named after the port, held until its end.
"""

import fcntl
import os
import random
import socket
import tempfile
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO

__all__ = ["lease_ports", "lock_of"]

_RANGE = range(17_000, 32_000)
"""Below 32768, where Linux begins to hand out ports of outgoing connections, which know nothing of our locks."""


@contextmanager
def lease_ports(count: int) -> Generator[list[int]]:
    """Yield `count` different free ports on the loopback address, ours until the end of the block.

    Raises:
        OSError: fewer than `count` ports are free.
    """
    with ExitStack() as locks:
        ports: list[int] = []
        for port in random.sample(_RANGE, len(_RANGE)):
            if len(ports) == count:
                break
            lock = _lock(port)
            if lock is not None:
                locks.enter_context(lock)
                ports.append(port)
        if len(ports) < count:
            raise OSError(f"no {count} free ports between {_RANGE.start} and {_RANGE.stop} on this machine")
        yield ports


def _lock(port: int) -> IO[bytes] | None:
    """The held lock of a port, or None if another process holds it or listens there."""
    lock = lock_of("ports", port)
    if lock is None or _bindable(port):
        return lock
    lock.close()
    return None


def lock_of(what: str, number: int) -> IO[bytes] | None:
    """Hold what all runs of this user on this machine share, by its number; None if another process holds it."""
    folder = Path(tempfile.gettempdir()) / f"ringback-{what}-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    lock = (folder / str(number)).open("wb")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        lock.close()
        return None
    return lock


def _bindable(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
