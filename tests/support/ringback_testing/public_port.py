"""A running webhook as the internet sees it: raw sockets in front, and what reached Kafka behind."""

import asyncio
import re
from collections import defaultdict
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import count
from typing import Any

import orjson
import psutil
from aiokafka import AIOKafkaConsumer
from ringback_events.fetch import FetchRequest
from ringback_events.topics import FETCH, LIFECYCLE, Topic
from ringback_ingest.client_state import CALL_RECORDS, client_state, keys_of, new_keys_file

from ringback_testing.processes import RunningProcess
from ringback_testing.records import Record, read_on
from ringback_testing.transcript import TRANSCRIPT
from ringback_testing.webhook import Client, post

__all__ = [
    "DOCUMENTED",
    "KEYS",
    "PATH",
    "QUERY",
    "STATE",
    "TENANT",
    "Answer",
    "PublicPort",
    "StartWebhook",
    "answers_in",
    "body",
    "item",
]

TENANT = "dc368399-474c-4d40-900c-6265431fd81f"
KEYS = new_keys_file("k2", bytes(range(1, 33)))
STATE = client_state(keys_of(KEYS, "KEYS").active, TENANT, CALL_RECORDS)
QUERY = "slot=callrecords&kid=k2&installation=test"
PATH = f"/graph/notifications?{QUERY}"

DOCUMENTED = frozenset({200, 202, 400, 404, 405, 408, 413, 415, 431, 503})
"""Every status the webhook may answer (docs/adr/0007-answers-to-graph.md)."""
BANNER = re.compile(rb"python|ringback|asyncio|llhttp|httptools|traceback|kafka|errno|exception", re.IGNORECASE)
_NAMES = frozenset({b"content-length", b"date", b"connection", b"retry-after", b"allow"})
_ECHO_NAMES = _NAMES | {b"content-type", b"x-content-type-options", b"cache-control"}


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer as it came."""

    status: int
    headers: dict[bytes, bytes] = field(repr=False)
    body: bytes = field(repr=False)


def answers_in(data: bytes) -> list[Answer]:
    """Every answer in what a connection sent, checked by S9: a documented status, no detail, no banner.

    Raises:
        AssertionError: an answer says more than its status.
    """
    answers: list[Answer] = []
    while data:
        head, _, rest = data.partition(b"\r\n\r\n")
        line, *fields = head.split(b"\r\n")
        headers = dict(_field(each) for each in fields)
        length = int(headers.get(b"content-length", b"0"))
        answers.append(_checked(Answer(int(line.split(b" ")[1]), headers, rest[:length])))
        data = rest[length:]
    return [answer for answer in answers if answer.status != 100]


def _field(line: bytes) -> tuple[bytes, bytes]:
    name, _, value = line.partition(b": ")
    return name.lower(), value


def _checked(answer: Answer) -> Answer:
    if answer.status == 100:
        return answer
    assert answer.status in DOCUMENTED, answer.status
    assert set(answer.headers) <= (_ECHO_NAMES if answer.status == 200 else _NAMES), answer.headers
    assert answer.status == 200 or answer.body == b"", answer.status
    assert BANNER.search(b"\n".join(answer.headers.values())) is None, answer.headers
    return answer


@dataclass
class PublicPort:
    """The webhook's public port, the process behind it, and its topics."""

    process: RunningProcess
    port: int
    topics: dict[str, str]
    reader: AIOKafkaConsumer
    _numbers: "count[int]" = field(default_factory=count)
    _seen: dict[str, list[Record]] = field(default_factory=lambda: defaultdict[str, list[Record]](list))

    def call(self, prefix: str = "call") -> str:
        """A call id no other test has."""
        return f"{prefix}-{next(self._numbers)}"

    @asynccontextmanager
    async def connected(self) -> AsyncGenerator[Client]:
        """Yield a connection that sends bytes as they are."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            yield Client(reader, writer)
        finally:
            writer.close()

    async def exchange(self, data: bytes, *, stop: bool = True) -> list[Answer]:
        """Send bytes, stop sending (with `stop`), and return every answer until the webhook closes."""
        async with self.connected() as client:
            try:
                await client.send(data)
                if stop:
                    client.writer.write_eof()
            except ConnectionError:
                pass  # it was refused while it still sent; the answer can be read all the same
            return answers_in(await client.rest())

    async def post(self, body: bytes, *headers: str, path: str = PATH) -> Answer:
        """POST a body on a connection of its own."""
        async with self.connected() as client:
            await client.send(post(body, *headers, path=path))
            return answers_in(await client.answer())[0]

    async def accepts(self) -> bool:
        """Whether a genuine POST is answered 202 now."""
        return (await self.post(body(item(self.call("warm"))))).status == 202

    async def produced(self) -> list[str]:
        """The ids of all calls that reached the fetch lane so far."""
        return [FetchRequest.model_validate_json(record.value or b"").call_id for record in await self._on(FETCH)]

    async def lifecycle(self) -> list[dict[str, Any]]:
        """The lifecycle events that reached their topic so far."""
        return [orjson.loads(record.value or b"") for record in await self._on(LIFECYCLE)]

    async def _on(self, topic: Topic) -> list[Record]:
        """Read on to the end of both topics as of now; what lies on one of them."""
        async for name, batch in read_on(self.reader):
            self._seen[name] += batch
        return self._seen[self.topics[topic.name]]

    def descriptors(self) -> int:
        """Open files and sockets of the process."""
        return psutil.Process(self.process.pid).num_fds()


StartWebhook = Callable[[str, dict[str, str]], Awaitable[PublicPort]]
"""Starts a webhook for a prefix and its topics: contract name → real name."""


def item(call_id: str, **members: Any) -> dict[str, Any]:
    """A genuine notification of a call; members given by name replace its own."""
    return {
        "subscriptionId": "5d6e1b0f-4f51-4a3b-9d9c-1f2b3c4d5e6f",
        "clientState": STATE,
        "changeType": "updated",
        "resource": f"communications/callRecords/{call_id}",
        "resourceData": {"@odata.type": "#microsoft.graph.callRecord", "id": call_id},
        "tenantId": TENANT,
    } | members


def body(*items: object) -> bytes:
    """The items as Graph posts them."""
    return orjson.dumps({"value": items})


TRANSCRIPT.plant({"clientState of the edge": STATE})
