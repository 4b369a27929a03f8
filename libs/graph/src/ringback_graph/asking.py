"""The requests of one read: kept within its limits and repeated after short pauses; a refusal becomes an answer."""

from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from ringback_common.errors import Throttled, Transient

from ringback_graph.answers import (
    AuthFailed,
    Failed,
    Forbidden,
    Hostile,
    Malformed,
    NeedsBulk,
    NotFound,
    Refused,
    TooLarge,
)
from ringback_graph.availability import LONGEST_WAIT_IN_PLACE, Priority
from ringback_graph.client import Call, GraphClient, error_code, json_object
from ringback_graph.exchange import Reply
from ringback_graph.links import HostileLink
from ringback_graph.tenants import Tenant

__all__ = ["Asking", "ReadLimits"]

_OK = 200
_LEAST_OF_AN_OBJECT = 128


@dataclass(frozen=True, slots=True)
class ReadLimits:
    """The caps of one read."""

    live_requests: int = 8
    """A live record that needs more moves to the bulk lane."""
    requests: int = 500
    """More pages than the byte limit lets through: 40 MiB are 4,260 sessions of the bench's meeting, 71 pages."""
    byte_count: int = 40 * 1024 * 1024
    """Bytes of JSON of all replies of one attempt that are of the record, after decompression; an object counts for 128
    at least. Graph's have some 260 on average: what derives much from little must not take more memory than a record at
    the limit."""
    seconds: float = 900.0
    """500 pages of one record need 320 s at Graph's limit of 40 in 20 s."""
    attempts: int = 4
    """The first and three more, if the record changes while it is read."""
    patience: int = 3
    """How often a read that already holds pages waits out a short Retry-After instead of giving them up."""


@dataclass(slots=True)
class _Spent:
    """What one read has used so far."""

    started: float
    requests: int = 0
    byte_count: int = 0
    objects: int = 0
    page: int = 0
    """Bytes of the largest reply: what the next one may be expected to have."""
    pauses: int = 0
    replies: int = 0
    """Replies of the current attempt."""
    followed: set[str] = field(default_factory=set[str])
    """Next links of the current chain."""

    @property
    def weight(self) -> int:
        """Bytes of JSON, as `ReadLimits.byte_count` counts them."""
        return max(self.byte_count, self.objects * _LEAST_OF_AN_OBJECT)


class Asking:
    """Sends the requests of one read; an answer that ends the read is returned, never raised."""

    def __init__(self, client: GraphClient, limits: ReadLimits, about: Call) -> None:
        """Take the client, the limits, and the request that all others are copies of; its room takes the replies."""
        self._client, self._about = client, about
        self.limits = limits
        self.spent = _Spent(client.clock.monotonic())

    @property
    def tenant(self) -> Tenant:
        """The tenant whose record is read."""
        return self._about.tenant

    def now(self) -> datetime:
        """The wall clock."""
        return self._client.clock.now()

    def restart(self) -> None:
        """Begin the next attempt: what was read is given up; requests, time and pauses stay spent."""
        self.spent.replies, self.spent.byte_count, self.spent.objects = 0, 0, 0
        self._about.room.restart()

    def begin_pages(self) -> None:
        """Begin a chain of next links; a list that comes in two replies has one chain in each."""
        self.spent.followed.clear()

    def follow(self, link: str) -> Malformed | None:
        """Note a next link; Malformed if the chain it belongs to is a circle."""
        if link in self.spent.followed:
            return Malformed("next_link")
        self.spent.followed.add(link)
        return None

    async def get(self, operation: str, url: str) -> dict[str, Any] | Failed:
        """The JSON object behind a URL of our own making. Raises as `send`."""
        return self.content(await self.send(operation, url))

    def content(self, reply: Reply | Failed) -> dict[str, Any] | Failed:
        """The JSON object of a 200, or the answer that ends the read. Raises Transient if a 200 is no JSON at all."""
        if not isinstance(reply, Reply):
            return reply
        if reply.status != _OK:
            return _refusal(reply)
        content = json_object(reply)
        return Malformed("json") if content is None else content

    async def send(self, operation: str, url: str, record: str | None = None) -> Reply | Failed:
        """Send one request; `record` is the id of the only record that a next link may lead to.

        Raises:
            Transient: timeout, connection, 5xx, or the read has taken too long.
            Throttled: Graph asks to wait, and longer or more often than this read waits.
        """
        if (over := self._over_limit()) is not None:
            return over
        call = replace(self._about, operation=operation, url=url, record=record)
        while True:
            await call.room.ahead(self.spent.page)
            self.spent.requests += 1
            try:
                answer = await self._client.send(call)
            except Throttled as throttled:
                self._endure(throttled, is_page=record is not None)
            except HostileLink as hostile:
                return Hostile(hostile.why)
            else:
                return answer if isinstance(answer, AuthFailed) else self._counted(answer)

    def _over_limit(self) -> NeedsBulk | TooLarge | None:
        spent, limits = self.spent, self.limits
        if self._about.priority is Priority.LIVE and spent.requests >= limits.live_requests:
            return NeedsBulk(spent.requests)
        if spent.replies >= limits.requests:
            return TooLarge("pages")
        if self._client.clock.monotonic() - spent.started - self._about.room.waited > limits.seconds:
            raise Transient("reading the record took too long")
        return None

    def _endure(self, throttled: Throttled, *, is_page: bool) -> None:
        """Return where the read waits out a pause and keeps its pages, else raise; the budget delays the next request.

        A single reply is kept only where pages follow: any other record is as cheaply read again, and holds up no
        other read meanwhile.
        """
        self.spent.pauses += 1
        bearable = throttled.retry_after <= LONGEST_WAIT_IN_PLACE and self.spent.pauses <= self.limits.patience
        if self.spent.replies < (1 if is_page else 2) or not bearable:
            raise throttled

    def _counted(self, reply: Reply) -> Reply | TooLarge:
        if reply.body is None:
            return TooLarge("page")
        if reply.status == _OK:  # a refusal is no part of the record
            self.spent.replies += 1
            self.spent.byte_count += len(reply.body)
            self.spent.objects += reply.body.count(b"{")
        self.spent.page = max(self.spent.page, len(reply.body))
        if self.spent.weight > self.limits.byte_count:
            return TooLarge("record")
        return reply


def _refusal(reply: Reply) -> Failed:
    if reply.status == 404:  # noqa: PLR2004 - HTTP
        return NotFound()
    if reply.status == 403:  # noqa: PLR2004 - HTTP
        return Forbidden(error_code(reply))
    return Refused(reply.status, error_code(reply))
