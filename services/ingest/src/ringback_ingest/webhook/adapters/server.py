"""The listening socket, and what its connections share: caps, deadlines, counts, the end."""

import asyncio
from contextlib import suppress
from email.utils import formatdate

from ringback_common import logs
from ringback_common.clock import SystemClock
from ringback_common.errors import ConfigError
from ringback_common.metrics import WEBHOOK_CONNECTIONS, WEBHOOK_CUT, WEBHOOK_POSTS

from ringback_ingest.webhook.adapters.alarms import Alarms
from ringback_ingest.webhook.adapters.connection import Connection, Handler
from ringback_ingest.webhook.core.admission import Status
from ringback_ingest.webhook.core.limits import ANSWER_SECONDS, HEAD_SECONDS, LINGER_SECONDS
from ringback_ingest.webhook.core.unproven import UnprovenConnections

__all__ = ["FINISH_SECONDS", "HttpServer"]

_CONNECTIONS = 4096
"""At 16 KiB of head each some 64 MiB; Graph's senders use a few hundred."""

_BODY_BYTES = 64 * 1024 * 1024
"""Bodies in memory over all connections; beyond it a POST is answered 503 and Graph sends again.
No limit that callers wait for: a body that waits would be memory, too."""

_SWEEP_SECONDS = 0.25
"""How late a deadline may be noticed; one timer for all connections costs nothing per request."""

_READ_SECONDS = 0.05
"""For requests that the kernel holds already when the listener closes: a connection with one is not idle."""

FINISH_SECONDS = HEAD_SECONDS + ANSWER_SECONDS + LINGER_SECONDS
"""From the close of the listener to the end: what a request may take that has just begun."""

_log = logs.logger(__name__)


class HttpServer:
    """Accepts connections until it is stopped.

    Args:
        handler: takes the POSTs.
        host: where to listen.
        port: likewise; 0 takes a free one.
        unproven_per_peer: connections of one address that have sent nothing genuine.
    """

    def __init__(self, handler: Handler, host: str, port: int, unproven_per_peer: int) -> None:
        self.handler = handler
        self.date = _date_line()
        self.closing = False
        self.port = port
        self._host = host
        self._unproven_per_peer = unproven_per_peer
        self._unproven: UnprovenConnections[Connection] = UnprovenConnections()
        self._connections: set[Connection] = set()
        self._empty = asyncio.Event()
        self._empty.set()
        self._bytes = 0
        self._posts = {status: WEBHOOK_POSTS.labels(str(int(status))) for status in Status}
        self._swept_at = 0.0
        self._alarms = Alarms(SystemClock())

    async def start(self) -> None:
        """Listen; with port 0 `port` says afterwards which one it became.

        Raises:
            ConfigError: the address is not this machine's, or the port is taken.
        """
        loop = asyncio.get_running_loop()
        try:
            self._server = await loop.create_server(lambda: Connection(self), self._host, self.port, backlog=1024)
        except OSError:
            raise ConfigError(
                f"RINGBACK_WEBHOOK__HOST and __PORT cannot be listened on: {self._host}:{self.port}."
            ) from None
        self.port = self._server.sockets[0].getsockname()[1]
        self._sweeper = asyncio.create_task(self._sweep(), name="webhook-sweep")
        self._swept_at = loop.time()

    def drain(self) -> None:
        """Let each connection end with its next answer, which says so; new ones are taken in as before."""
        self.closing = True

    async def stop(self) -> None:
        """Take no further connection, let the answers that are due go out, close."""
        self.drain()
        self._server.close()
        await asyncio.sleep(_READ_SECONDS)
        for connection in tuple(self._connections):
            connection.finish()
        with suppress(TimeoutError):
            await asyncio.wait_for(self._empty.wait(), FINISH_SECONDS)
        self._sweeper.cancel()
        for connection in tuple(self._connections):
            connection.abort()

    def stalled(self) -> str | None:
        """Liveness: a sentence when the event loop has not come round for ten seconds."""
        idle = asyncio.get_running_loop().time() - self._swept_at
        return "The event loop has stood still." if idle > 10 else None  # noqa: PLR2004 - named in the docstring

    # --- the connections' hub ---

    def opened(self, connection: Connection) -> bool:
        """Take a connection in: where there are too many, in the place of the oldest that has sent nothing genuine."""
        peer = connection.peer
        if self._unproven.count(peer) >= self._unproven_per_peer:
            self._replace(self._unproven.oldest(peer), "too_many_of_peer")
        elif len(self._connections) >= _CONNECTIONS:
            self._replace(self._unproven.oldest(), "too_many_connections")
        if len(self._connections) >= _CONNECTIONS:
            return False
        self._connections.add(connection)
        self._unproven.add(connection, peer)
        self._empty.clear()
        WEBHOOK_CONNECTIONS.set(len(self._connections))
        return True

    def proved(self, connection: Connection) -> None:
        """It has sent something genuine: no other takes its place."""
        self._unproven.remove(connection)

    def closed(self, connection: Connection) -> None:
        """Forget a connection."""
        self._connections.discard(connection)
        self._unproven.remove(connection)
        if not self._connections:
            self._empty.set()
        WEBHOOK_CONNECTIONS.set(len(self._connections))

    def _replace(self, victim: Connection | None, reason: str) -> None:
        """Close a connection; without one it is the newcomer that is closed."""
        WEBHOOK_CUT.labels(reason).inc()
        if victim is not None:
            self.closed(victim)  # now: the transport reports the end only later
            victim.abort()

    def hold(self, byte_count: int) -> bool:
        """Account for body bytes in memory."""
        self._bytes += byte_count
        return self._bytes <= _BODY_BYTES

    def answered(self, status: Status) -> None:
        """Count an answer."""
        self._posts[status].inc()

    def handshake_refused(self, status: Status) -> None:
        """Say that Graph's handshake was refused: no subscription is made or renewed so, and Graph says only that."""
        self._alarms.handshake_refused(status)

    async def _sweep(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            self._swept_at = loop.time()
            self.date = _date_line()
            for connection in [each for each in self._connections if each.deadline < self._swept_at]:
                WEBHOOK_CUT.labels(connection.overdue()).inc()
            await asyncio.sleep(_SWEEP_SECONDS)


def _date_line() -> bytes:
    return f"date: {formatdate(usegmt=True)}\r\n".encode()
