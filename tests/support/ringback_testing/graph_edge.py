"""A Graph that is hostile by hand: real TLS, raw answers, byte for byte what a test wants, and every request kept."""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncGenerator, Callable, Iterable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson

from ringback_testing.transcript import TRANSCRIPT

__all__ = ["EDGE", "TOKEN", "Answer", "GraphEdge", "Seen", "chunks", "open_graph_edge", "raw_response", "record"]

EDGE = "ed9e0000-0000-4000-8000-000000000001"
"""The tenant whose Graph it is."""
TOKEN = "edge-access-token-" + "Q7z" * 40
"""What its authority grants; a canary of the whole session."""
TRANSCRIPT.plant({"access token of the edge": TOKEN})

Answer = Callable[["Seen"], Iterable[bytes]]
"""Makes an answer piece by piece, so that a hundred megabytes of it need not exist."""


@dataclass(frozen=True, slots=True)
class Seen:
    """One request as it came."""

    method: str
    target: str
    headers: dict[str, str] = field(repr=False)

    def is_about(self, call_id: str) -> bool:
        """Whether its path names the call."""
        return call_id in self.target


@dataclass
class GraphEdge:
    """Answers by call id; a call without a prepared answer is not found. It is its tenants' authority as well."""

    url: str = ""
    seen: list[Seen] = field(default_factory=list[Seen])
    answers: dict[str, Answer] = field(default_factory=dict[str, Answer])
    authority: Answer | None = None
    """Answers instead of the authority."""
    hellos: int = 0
    """TLS handshakes that were begun with it, whether or not they came to an end."""
    sent: int = 0
    """Bytes of answers that were taken from it."""

    def about(self, call_id: str) -> list[Seen]:
        """The requests about a call."""
        return [seen for seen in self.seen if seen.is_about(call_id)]

    def greeted(self) -> None:
        """A client has begun a handshake."""
        self.hellos += 1

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection: one request and its answer."""
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError, ssl.SSLError):
            line, *fields = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
            headers = {name.lower(): value for name, _, value in (each.partition(": ") for each in fields if each)}
            await reader.readexactly(int(headers.get("content-length", 0)))
            method, target, _ = line.split(" ")
            self.seen.append(Seen(method, target, headers))
            await self._answer(self.seen[-1], writer)
        writer.close()

    async def _answer(self, seen: Seen, writer: asyncio.StreamWriter) -> None:
        for piece in self._pieces(seen):
            writer.write(piece)
            await writer.drain()
            self.sent += len(piece)

    def _pieces(self, seen: Seen) -> Iterable[bytes]:
        if ".well-known" in seen.target or seen.method == "POST":
            return (self.authority or self._grant)(seen)
        found = [answer for call_id, answer in self.answers.items() if seen.is_about(call_id)]
        return found[0](seen) if found else raw_response(404, b"{}")

    def _grant(self, seen: Seen) -> Iterator[bytes]:
        """The authority's discovery, and a token for every POST."""
        if seen.method == "POST":
            yield from raw_response(
                200, orjson.dumps({"token_type": "Bearer", "expires_in": 3600, "access_token": TOKEN})
            )
            return
        names = {"issuer": "t", "authorization_endpoint": "a", "token_endpoint": "token"}
        yield from raw_response(200, orjson.dumps({name: f"{self.url}/{path}" for name, path in names.items()}))


def raw_response(status: int, content: bytes = b"", **headers: str) -> Iterator[bytes]:
    """An answer that closes the connection; underscores in the names of headers stand for hyphens."""
    named = {"Content-Length": str(len(content)), "Content-Type": "application/json", "Connection": "close"}
    named |= {name.replace("_", "-"): value for name, value in headers.items()}
    lines = "".join(f"{name}: {value}\r\n" for name, value in named.items())
    yield f"HTTP/1.1 {status} Status\r\n{lines}\r\n".encode()
    yield content


def chunks(pieces: Iterable[bytes], **headers: str) -> Iterator[bytes]:
    """A 200 whose body is chunked, and as long as the pieces last."""
    named = {"Content-Type": "application/json", "Transfer-Encoding": "chunked", "Connection": "close"}
    named |= {name.replace("_", "-"): value for name, value in headers.items()}
    lines = "".join(f"{name}: {value}\r\n" for name, value in named.items())
    yield f"HTTP/1.1 200 Status\r\n{lines}\r\n".encode()
    for piece in pieces:
        yield b"%x\r\n%s\r\n" % (len(piece), piece)
    yield b"0\r\n\r\n"


def record(call_id: str, **members: Any) -> dict[str, Any]:
    """The least that is a call record of two, read in one request; members given by name replace or join its own."""
    times = {"startDateTime": "2026-11-02T09:00:00Z", "endDateTime": "2026-11-02T09:30:00Z"}
    own = {"id": call_id, "version": 1, "type": "peerToPeer", "modalities": ["audio"]}
    sides = {side: {"associatedIdentity": {"id": EDGE}} for side in ("caller", "callee")}
    session: dict[str, Any] = {"id": call_id, "segments": list[Any]()} | sides | times
    return own | {"sessions": [session]} | times | members


@asynccontextmanager
async def open_graph_edge(certificate: Path, key: Path) -> AsyncGenerator[GraphEdge]:
    """Yield a Graph on the loopback address that shows this certificate."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate, key)
    edge = GraphEdge()

    def greeted(*_: object) -> None:
        edge.greeted()

    context.sni_callback = greeted
    server = await asyncio.start_server(edge, "localhost", 0, ssl=context, family=2)
    edge.url = f"https://localhost:{server.sockets[0].getsockname()[1]}"
    async with server:
        yield edge
