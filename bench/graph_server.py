"""Graph at its fastest, for load: https, tokens, and records from memory. A process of its own.

    python -m bench.graph_server <folder> <port> <delay in ms>   writes its CA to <folder>/ca.pem, then listens

It expands one relationship a request, as Graph is likely to, and refuses nothing else and counts nothing: that is the
simulator's to say, in the tests.
"""

import asyncio
import re
import sys
from pathlib import Path
from typing import cast
from zlib import crc32

import httptools
import orjson
import uvloop
from ringback_graph_simulator.certs import make_certificates, server_context

from bench.graph_bodies import CALL, bodies, first_answer, second_answer

__all__ = ["HOST"]

HOST = "localhost"
_DIFFERENT = 64
_RECORD = re.compile(rb"/v1\.0/communications/callRecords/([^?/]+)\?(.*)")
_REFUSED = b'{"error":{"code":"BadRequest","message":"One relationship."}}'


class Answers:
    """What is answered to which path."""

    def __init__(self, root: str) -> None:
        self._root = root
        whole = bodies(_DIFFERENT)
        self._firsts = [first_answer(body).split(CALL.encode()) for body in whole]
        self._seconds = [second_answer(body).split(CALL.encode()) for body in whole]

    def record(self, call: bytes, query: bytes) -> bytes:
        """A whole HTTP answer about the record of this call: both of its answers are of one record."""
        sessions, participants = b"sessions" in query, b"participants_v2" in query
        if sessions and participants:
            return _answer(_REFUSED, b"400 Bad Request")
        forms = self._seconds if participants else self._firsts
        return _answer(call.join(forms[crc32(call) % _DIFFERENT]))

    def other(self, path: bytes) -> bytes:
        """The authority's two answers."""
        if path.endswith(b"/token"):
            return _answer(orjson.dumps({"token_type": "Bearer", "expires_in": 3599, "access_token": "a" * 1200}))
        base = f"{self._root}/{path.decode().split('/')[1]}"
        names = {"authorization_endpoint": "oauth2/v2.0/authorize", "token_endpoint": "oauth2/v2.0/token"}
        names |= {"issuer": "v2.0"}
        return _answer(orjson.dumps({name: f"{base}/{place}" for name, place in names.items()}))


def _answer(body: bytes, status: bytes = b"200 OK") -> bytes:
    head = b"HTTP/1.1 %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
    return head % (status, len(body)) + body


class Connection(asyncio.Protocol):
    """One kept-alive connection; httptools calls the `on_` methods."""

    def __init__(self, answers: Answers, delay: float) -> None:
        self._answers = answers
        self._delay = delay
        self._parser = httptools.HttpRequestParser(self)
        self._url = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the way out."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is none by inheritance

    def data_received(self, data: bytes) -> None:
        """Parse on."""
        self._parser.feed_data(data)

    def on_url(self, url: bytes) -> None:
        """A piece of the request's target."""
        self._url += url

    def on_message_complete(self) -> None:
        """Answer: a record after the delay, the authority at once."""
        url, self._url = self._url, b""
        record = _RECORD.match(url)
        if record is None:
            self._transport.write(self._answers.other(url))
        elif self._delay:
            asyncio.get_running_loop().call_later(self._delay, self._send, record[1], record[2])
        else:
            self._send(record[1], record[2])

    def _send(self, call: bytes, query: bytes) -> None:
        if not self._transport.is_closing():
            self._transport.write(self._answers.record(call, query))


async def _serve(folder: Path, port: int, delay: float) -> None:
    answers = Answers(f"https://{HOST}:{port}")
    context = server_context(make_certificates(folder, (HOST, "127.0.0.1")))
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Connection(answers, delay), "127.0.0.1", port, ssl=context, backlog=512)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(_serve(Path(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3]) / 1000))
