"""One HTTP/1.1 connection, straight on the parser.

Graph's POST needs none of what a general server offers, and what it does need general servers lack: a deadline for the
head, one for the body, and caps that bite before anything is buffered (docs/adr/0018-own-http-connection.md).
Parsing, and with it every question of request smuggling, stays with llhttp in its strict mode.
"""

import asyncio
import math
from typing import Protocol, cast

import httptools

from ringback_ingest.client_state import NotificationQuery
from ringback_ingest.webhook.adapters.responses import CONTINUE, echo, response
from ringback_ingest.webhook.core.admission import Admitted, Echo, Status
from ringback_ingest.webhook.core.exchange import Exchange
from ringback_ingest.webhook.core.limits import (
    ANSWER_SECONDS,
    BODY_SECONDS,
    HEAD_BYTES,
    HEAD_SECONDS,
    IDLE_SECONDS,
    LINGER_SECONDS,
    REQUEST_BYTES,
    UNPROVEN_SECONDS,
)

__all__ = ["Connection", "Handler", "Responder", "ServerState"]

_VERSIONS = frozenset({"1.0", "1.1"})


class Responder(Protocol):
    """Answers a POST; to be called exactly once, at once or later."""

    def __call__(self, status: Status, /) -> None:
        """Answer with a status."""
        ...


class Handler(Protocol):
    """What becomes of a whole, admitted POST."""

    def take(self, query: NotificationQuery, body: bytes, reply: Responder, answer_by: float) -> bool:
        """Judge the body and answer, at once or when Kafka has, but not after `answer_by`, in the loop's time.

        Returns:
            Whether anything of it was genuine.
        """
        ...


class ServerState(Protocol):
    """What all connections share."""

    handler: Handler
    date: bytes
    closing: bool

    def opened(self, connection: "Connection") -> bool:
        """Take a new connection in, or say that there are too many."""
        ...

    def proved(self, connection: "Connection") -> None:
        """A connection has sent something genuine for the first time."""
        ...

    def closed(self, connection: "Connection") -> None:
        """Forget a connection."""
        ...

    def hold(self, byte_count: int) -> bool:
        """Account for body bytes in memory, negative when let go; False when there are too many."""
        ...

    def answered(self, status: Status) -> None:
        """Count an answer."""
        ...

    def handshake_refused(self, status: Status) -> None:
        """Say that a validation of a subscription's URL was refused."""
        ...


class Connection(asyncio.Protocol):
    """Parses requests one after the other; a second one before the answer to the first ends the connection after it."""

    def __init__(self, hub: ServerState) -> None:
        self._hub = hub
        self._clock = asyncio.get_running_loop().time
        self._parser = httptools.HttpRequestParser(self)
        self._exchange: Exchange | None = None
        self._answering = False
        self._used = False
        self._last = False
        self._deaf = False
        self._half_closed = False
        self._proven = False
        self._held = 0
        self._unfinished = 0
        self._answer_by = math.inf
        self.deadline = math.inf
        """Monotonic seconds; the sweep closes what is past it."""

    # --- asyncio's callbacks ---

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin to wait for a request, if there is room."""
        self._transport = cast("asyncio.Transport", transport)
        self._prove_by = self._clock() + UNPROVEN_SECONDS
        self.deadline = self._clock() + HEAD_SECONDS
        if not self._hub.opened(self):
            self._transport.abort()

    @property
    def peer(self) -> str:
        """The address at the other end: the sender's, or that of an ingress."""
        return str((self._transport.get_extra_info("peername") or ("",))[0])

    def data_received(self, data: bytes) -> None:
        """Feed the parser; what it cannot read is answered 400 and ends the connection."""
        if self._deaf:
            return
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserCallbackError:
            raise  # a bug of ours: the loop logs it and closes the connection unanswered, so that Graph sends again
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            self._unreadable()
            return
        if self._exchange is not None and not self._answering:
            self._count(self._exchange, len(data))

    def _count(self, exchange: Exchange, byte_count: int) -> None:
        """The parser keeps a header, or a trailer, to itself until it is whole: what it may hold is bounded here."""
        self._unfinished += byte_count
        if exchange.verdict is None and self._unfinished > HEAD_BYTES:
            self._refuse(Status.HEAD_TOO_LARGE)
        elif self._unfinished > REQUEST_BYTES:
            self._refuse(Status.TOO_LARGE)

    def eof_received(self) -> bool:
        """Keep the way back open for an answer that is still due."""
        self._last = self._half_closed = True
        return self._answering

    def pause_writing(self) -> None:
        """A client that does not read its answers gets no more of them."""
        self._transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """Let go of everything held for it."""
        del exc
        self._deaf = True
        self._let_go()
        self._hub.closed(self)

    # --- the parser's callbacks ---

    def on_message_begin(self) -> None:
        """A request begins."""
        if self._answering:
            self._last = self._deaf = True
        elif not self._deaf:
            self._used = True
            self._exchange = Exchange()
            self._unfinished = 0
            # The first request's time runs since the connect: silence before it gains nothing.
            self.deadline = min(self.deadline, self._clock() + HEAD_SECONDS)

    def on_url(self, part: bytes) -> None:
        """Take a part of the target."""
        if not self._deaf and self._exchange is not None:
            self._exchange.url(part)

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header."""
        if self._deaf or self._exchange is None:
            return
        self._exchange.header(name, value)
        if self._exchange.verdict is Status.HEAD_TOO_LARGE:
            self._refuse(Status.HEAD_TOO_LARGE)

    def on_headers_complete(self) -> None:
        """Judge the head."""
        exchange = self._exchange
        if self._deaf or exchange is None:
            return
        if self._parser.should_upgrade() or self._parser.get_http_version() not in _VERSIONS:
            # The parser leaves the body of an upgrade unread, so that 202 would lose it in silence; and it takes
            # other versions for HTTP/1.1, which a proxy in front may not.
            self._refuse(Status.BAD_REQUEST)
            return
        exchange.head_complete(self._parser.get_method())
        if isinstance(exchange.verdict, Status):
            self._refuse(exchange.verdict)
            return
        now = self._clock()
        self.deadline, self._answer_by = now + BODY_SECONDS, now + ANSWER_SECONDS
        if exchange.expects_continue and self._parser.get_http_version() == "1.1":
            self._transport.write(CONTINUE)

    def on_body(self, chunk: bytes) -> None:
        """Take a part of the body, within its own limit and that of all connections together."""
        exchange = self._exchange
        if self._deaf or exchange is None:
            return
        exchange.data(chunk)
        self._held += len(chunk)
        if not self._hub.hold(len(chunk)):
            self._refuse(Status.UNAVAILABLE)
        elif isinstance(exchange.verdict, Status):
            self._refuse(exchange.verdict)

    def on_message_complete(self) -> None:
        """The request is whole: echo it, or hand it over."""
        exchange = self._exchange
        if self._deaf or exchange is None:
            return
        self.deadline = math.inf
        self._answering = True
        self._last |= not self._parser.should_keep_alive()
        match exchange.verdict:
            case Echo(token):
                self._send(Status.OK, echo(token, self._hub.date, close=self._closes()))
            case Admitted(query):
                if self._hub.handler.take(query, exchange.body(), self.reply, self._answer_by):
                    self._prove()
            case verdict:
                raise AssertionError(f"a whole request was judged {verdict}")

    def _prove(self) -> None:
        if self._proven:
            return
        self._proven = True
        self._hub.proved(self)
        if not self._answering and not self._deaf:  # it was answered at once, and not for the last time
            self.deadline = self._clock() + IDLE_SECONDS

    # --- answers ---

    def reply(self, status: Status) -> None:
        """Answer the request that was handed over, unless the client has gone."""
        self._send(status, response(status, self._hub.date, close=self._closes()))

    def finish(self) -> None:
        """The server stops: close now, or after the answer that is due.

        A connection without a request so far is not idle: its first one is on the way, and has the time of every head.
        """
        self._last = True
        if self._used and self._exchange is None and not self._deaf:
            self._linger()

    def overdue(self) -> str:
        """The deadline has passed: a body begun is answered 408, the rest closed without a word. Says which it was."""
        exchange = self._exchange
        if exchange is not None and exchange.verdict is not None and not self._deaf:
            self._refuse(Status.TIMEOUT)
            return "slow_body"
        self._transport.abort()
        if self._deaf:
            return "lingering"
        if exchange is not None:
            return "slow_head"
        return "idle" if self._proven else "nothing_genuine"

    def abort(self) -> None:
        """Close without an answer."""
        self._transport.abort()

    def _closes(self) -> bool:
        return self._last or self._hub.closing

    def _send(self, status: Status, data: bytes) -> None:
        closes = self._closes()
        self._hub.answered(status)
        self._let_go()
        self._exchange = None
        self._answering = False
        self.deadline = self._clock() + IDLE_SECONDS if self._proven else self._prove_by
        if self._transport.is_closing():
            return
        self._transport.write(data)
        if closes:
            self._linger()

    def _unreadable(self) -> None:
        """What follows is no HTTP/1.1: an answer that is due still goes out, and it alone."""
        if self._answering:
            self._last = self._deaf = True
        elif not self._deaf:
            self._refuse(Status.BAD_REQUEST)

    def _refuse(self, status: Status) -> None:
        """Answer before the request is whole, then listen no more."""
        self._hub.answered(status)
        if self._exchange is not None and self._exchange.is_handshake:
            self._hub.handshake_refused(status)
        self._let_go()
        self._exchange = None
        if not self._transport.is_closing():
            self._transport.write(response(status, self._hub.date, close=True))
        self._linger()

    def _linger(self) -> None:
        """Send no more, and close when the client has ended its side too, or after a while (RFC 9112, section 9.6)."""
        self._deaf = True
        self.deadline = self._clock() + LINGER_SECONDS
        if self._half_closed:  # nothing can come any more, not even its end
            self._transport.close()
        elif not self._transport.is_closing():
            self._transport.write_eof()

    def _let_go(self) -> None:
        self._hub.hold(-self._held)
        self._held = 0
