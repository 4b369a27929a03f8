"""Kafka and PostgreSQL as rows beside the processes: they are not supervised, yet all processes need them."""

import psutil

from ringback_local.owned import OwnServers
from ringback_local.supervised import ProcessHealth, State

__all__ = ["server_health"]

_OTHERS = "It is not run by us."
_ENDED = "It has ended and is not started again: stop everything and begin anew."


def server_health(name: str, servers: OwnServers) -> ProcessHealth:
    """A server as it is now: ready while each of its nodes runs."""
    if not servers.owned:
        return _given(name)
    return _row(name, servers.pid, [node.pid for node in servers.nodes], running=servers.running)


def _given(name: str) -> ProcessHealth:
    return ProcessHealth(name, None, State.READY, ready=True, reason=_OTHERS, restarts=0, rss=0)


def _row(name: str, pid: int, pids: list[int], *, running: bool) -> ProcessHealth:
    if not running:
        return ProcessHealth(name, None, State.STOPPED, ready=False, reason=_ENDED, restarts=0, rss=0)
    return ProcessHealth(name, pid, State.READY, ready=True, reason="", restarts=0, rss=sum(map(_resident, pids)))


def _resident(pid: int) -> int:
    """Bytes of memory; 0 where they cannot be seen, as of a server in a container."""
    try:
        return int(psutil.Process(pid).memory_info().rss)
    except psutil.Error:
        return 0
