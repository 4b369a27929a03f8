"""One listener that passes TCP on and applies the faults that are ordered.

The kinds of harm are those that Shopify's toxiproxy made common: latency, bandwidth, reset_peer, slow_close, slicer,
timeout, limit_data.
"""

import asyncio
import socket
import struct
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Protocol, TypeAlias

__all__ = ["Address", "Counts", "Dialect", "Relay", "Toxic"]

Address: TypeAlias = tuple[str, int]
"""Host and port."""

_CHUNK = 64 * 1024
_CHUNKS = 64
"""Chunks that may be under way in one direction of one connection, 4 MiB: latency is not to become a bandwidth."""
_TICK, _SLICE_PAUSE = 0.02, 0.001
_AT_ONCE = struct.pack("ii", 1, 0)
"""SO_LINGER that makes close() a reset."""


@dataclass(frozen=True, slots=True)
class Toxic:
    """What is done to one direction.

    Attributes:
        latency: seconds that every byte takes longer.
        bandwidth: bytes a second; None without limit.
        slice_bytes: the largest piece handed on at once, each in a packet of its own; None as it comes.
        reset_after: bytes of a connection after which both sides are reset; counted from now on.
        close_after: bytes of a connection after which this direction is closed in order (FIN), the other stays open.
        hold: nothing is passed on; nothing is closed, and what was held follows when it ends.
    """

    latency: float = 0.0
    bandwidth: int | None = None
    slice_bytes: int | None = None
    reset_after: int | None = None
    close_after: int | None = None
    hold: bool = False


@dataclass(slots=True)
class Counts:
    """What one link saw."""

    connections: int = 0
    bytes: int = 0
    delayed: int = 0
    resets: int = 0
    half_closes: int = 0
    held: int = 0
    refused: int = 0


class Dialect(Protocol):
    """Understands what is said on one connection, and may change it. Each method answers what is to be passed on."""

    def up(self, chunk: bytes) -> bytes:
        """The client said this."""
        ...

    def down(self, chunk: bytes) -> bytes:
        """The server said this."""
        ...


class _Direction:
    """One direction of one connection; `translate` answers what is passed on of what was read."""

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        toxic: Toxic,
        translate: Callable[[bytes], bytes] = bytes,
    ) -> None:
        self.reader = reader
        self.writer = writer
        self.translate = translate
        self._toxic = toxic
        self.passed = 0
        self.under_way: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(_CHUNKS)

    @property
    def toxic(self) -> Toxic:
        """What is done to it now; setting it begins the count of `passed` anew."""
        return self._toxic

    @toxic.setter
    def toxic(self, toxic: Toxic) -> None:
        self._toxic, self.passed = toxic, 0

    def end(self) -> None:
        """FIN, if the other side has not gone."""
        with suppress(OSError):
            self.writer.write_eof()

    def abort(self) -> None:
        """RST."""
        with suppress(OSError):
            self.writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _AT_ONCE)
        self.writer.transport.abort()


class _Connection:
    """A client, its server, and the two directions between them."""

    def __init__(self, up: _Direction, down: _Direction, counts: Counts) -> None:
        self.up, self.down = up, down
        self._counts = counts
        self._gone = asyncio.Event()

    async def run(self) -> None:
        """Until both directions have ended in order, or the connection is reset."""
        pumps = [asyncio.create_task(pump(each)) for each in (self.up, self.down) for pump in (self._take, self._give)]
        gone = asyncio.create_task(self._gone.wait())
        ended = asyncio.gather(*pumps)
        try:
            await asyncio.wait((ended, gone), return_when=asyncio.FIRST_COMPLETED)
        finally:
            gone.cancel()
            ended.cancel()
            with suppress(asyncio.CancelledError, OSError):
                await ended
            for each in (self.up, self.down):
                each.writer.close()

    def reset(self) -> None:
        """RST to both sides."""
        self._counts.resets += 1
        self.up.abort()
        self.down.abort()
        self._gone.set()

    async def _take(self, one: _Direction) -> None:
        loop = asyncio.get_running_loop()
        chunk = b"first"
        while chunk:
            try:
                chunk = await one.reader.read(_CHUNK)
            except OSError:
                self.reset()  # one side was reset, so is the other
                return
            said = one.translate(chunk)
            if said or not chunk:
                await one.under_way.put((loop.time(), said))

    async def _give(self, one: _Direction) -> None:
        chunk = b"first"
        while chunk:
            came, chunk = await one.under_way.get()
            await self._wait(one, came)
            if not chunk:
                one.end()
            elif not await self._pass(one, chunk):
                return

    async def _wait(self, one: _Direction, came: float) -> None:
        """Until a chunk is due and nothing is held."""
        loop = asyncio.get_running_loop()
        self._counts.held += one.toxic.hold
        self._counts.delayed += one.toxic.latency > 0
        while one.toxic.hold or came + one.toxic.latency > loop.time():  # noqa: ASYNC110 - both may change at any time
            await asyncio.sleep(_TICK)

    async def _pass(self, one: _Direction, chunk: bytes) -> bool:
        """Hand a chunk on piece by piece; False once nothing may follow it."""
        at = 0
        while at < len(chunk):
            toxic = one.toxic
            piece = chunk[at : at + _size(toxic, one.passed)]
            if not piece:
                self._cut(one)
                return False
            try:
                one.writer.write(piece)
                await one.writer.drain()
            except OSError:
                self.reset()
                return False
            at += len(piece)
            one.passed += len(piece)
            self._counts.bytes += len(piece)
            if toxic.bandwidth or toxic.slice_bytes:
                await asyncio.sleep(len(piece) / toxic.bandwidth if toxic.bandwidth else _SLICE_PAUSE)
        return True

    def _cut(self, one: _Direction) -> None:
        if one.toxic.reset_after is not None:
            self.reset()
        else:
            self._counts.half_closes += 1
            one.end()


def _size(toxic: Toxic, passed: int) -> int:
    """How many bytes may follow at once; 0 where the connection is to be cut."""
    bounds = [bound - passed for bound in (toxic.reset_after, toxic.close_after) if bound is not None]
    if toxic.bandwidth is not None:
        bounds.append(max(1, int(toxic.bandwidth * _TICK)))
    if toxic.slice_bytes is not None:
        bounds.append(toxic.slice_bytes)
    return max(0, min([_CHUNK, *bounds]))


class Relay:
    """Listens at one address and connects to another, or to several in turn. To be used in one event loop."""

    def __init__(self, listen: Address, target: Address, dialect: Callable[[], Dialect] | None = None) -> None:
        self.counts = Counts()
        self._listen = listen
        self._targets = (target,)
        self._dialect = dialect
        self._up, self._down = Toxic(), Toxic()
        self._server: asyncio.Server | None = None
        self._connections: set[_Connection] = set()
        self._serving: set[asyncio.Task[None]] = set()

    async def lead_to(self, targets: tuple[Address, ...]) -> None:
        """New connections lead to these in turn; those that there are stay."""
        self._targets = targets

    async def open(self) -> None:
        """Listen; raises OSError if the address is taken."""
        if self._server is None:
            self._server = await asyncio.start_server(self._serve, *self._listen)

    async def close(self) -> None:
        """Listen no more, reset what is connected, and end only once nothing is served."""
        if self._server is not None:
            self._server.close()
            self._server = None
        await self.reset()
        for task in self._serving:
            task.cancel()
        if self._serving:
            await asyncio.wait(self._serving)

    async def reset(self) -> None:
        """Reset every connection."""
        for connection in tuple(self._connections):
            connection.reset()

    async def refuse(self) -> None:
        """Reset every connection and refuse new ones."""
        await self.close()

    async def poison(self, up: Toxic, down: Toxic) -> None:
        """Do this to both directions of all connections, the present ones and those to come."""
        self._up, self._down = up, down
        for connection in self._connections:
            connection.up.toxic, connection.down.toxic = up, down

    async def heal(self) -> None:
        """Pass everything on again."""
        await self.poison(Toxic(), Toxic())
        await self.open()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - start_server makes one per connection
        self._serving.add(task)
        task.add_done_callback(self._serving.discard)
        with suppress(asyncio.CancelledError):  # asyncio.streams asks its task for an exception, cancelled or not
            await self._relay(reader, writer)

    async def _relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        target = self._targets[self.counts.connections % len(self._targets)]
        self.counts.connections += 1
        try:
            their_reader, their_writer = await asyncio.open_connection(*target)
        except OSError:
            self.counts.refused += 1
            _Direction(reader, writer, Toxic()).abort()
            return
        for each in (writer, their_writer):
            each.transport.set_write_buffer_limits(_CHUNK)
            each.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        dialect = self._dialect() if self._dialect else None
        connection = _Connection(
            _Direction(reader, their_writer, self._up, dialect.up if dialect else bytes),
            _Direction(their_reader, writer, self._down, dialect.down if dialect else bytes),
            self.counts,
        )
        self._connections.add(connection)
        try:
            await connection.run()
        finally:
            self._connections.discard(connection)
