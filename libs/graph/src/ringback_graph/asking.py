"""The requests of one read: within its limits, through short pauses, and what their replies are if they are no 200."""

from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from ringback_common.errors import Throttled, Transient

from ringback_graph.answers import AuthFailed, Failed, Forbidden, Malformed, NeedsBulk, NotFound, Refused, TooLarge
from ringback_graph.budget import Priority
from ringback_graph.budget.gate import LONGEST_FREEZE
from ringback_graph.client import Call, GraphClient, error_code, json_object
from ringback_graph.pages import Ends
from ringback_graph.tenants import Tenant
from ringback_graph.transport import Reply

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
    """Asks Graph about one record, again and again; every way to say no but a status of its own raises `Ends`."""

    def __init__(self, client: GraphClient, limits: ReadLimits, about: Call) -> None:
        """Take whom to ask, how much, and a request that the others are made of; its room takes what comes in."""
        self._client, self._about = client, about
        self.limits = limits
        self.spent = _Spent(client.clock.monotonic())

    @property
    def tenant(self) -> Tenant:
        """Who asks."""
        return self._about.tenant

    def now(self) -> datetime:
        """The wall clock."""
        return self._client.clock.now()

    def restart(self) -> None:
        """Give up what was read: the next attempt begins. Requests, time and pauses stay spent."""
        self.spent.replies, self.spent.byte_count, self.spent.objects = 0, 0, 0
        self._about.room.restart()

    def begin_pages(self) -> None:
        """A chain of next links begins; one list may come in two replies, and each has its chain."""
        self.spent.followed.clear()

    def follow(self, link: str) -> None:
        """Note a next link. Raises Ends if the chain it belongs to is a circle."""
        if link in self.spent.followed:
            raise Ends(Malformed("next_link"))
        self.spent.followed.add(link)

    async def get(self, operation: str, url: str) -> dict[str, Any]:
        """What a URL of our own making says."""
        return self.content(await self.send(operation, url))

    def content(self, reply: Reply) -> dict[str, Any]:
        """The JSON object of a reply."""
        if reply.status != _OK:
            raise Ends(_refusal(reply))
        content = json_object(reply)
        if content is None:
            raise Ends(Malformed("json"))
        return content

    async def send(self, operation: str, url: str, record: str | None = None) -> Reply:
        """Send one request; `record` is the id of the only record that a next link may lead to."""
        self._allow()
        call = replace(self._about, operation=operation, url=url, record=record)
        while True:
            await call.room.ahead(self.spent.page)
            self.spent.requests += 1
            try:
                answer = await self._client.send(call)
            except Throttled as throttled:
                self._endure(throttled, is_page=record is not None)
            else:
                return self._counted(answer)

    def _allow(self) -> None:
        spent, limits = self.spent, self.limits
        if self._about.priority is Priority.LIVE and spent.requests >= limits.live_requests:
            raise Ends(NeedsBulk(spent.requests))
        if spent.replies >= limits.requests:
            raise Ends(TooLarge("pages"))
        if self._client.clock.monotonic() - spent.started - self._about.room.waited > limits.seconds:
            raise Transient("reading the record took too long")

    def _endure(self, throttled: Throttled, *, is_page: bool) -> None:
        """Keep what has been read through a short pause; the budget makes the next request wait.

        A single reply is worth it only where pages follow: any other record costs as little to be read again, and
        meanwhile keeps no place from others.
        """
        self.spent.pauses += 1
        bearable = throttled.retry_after <= LONGEST_FREEZE and self.spent.pauses <= self.limits.patience
        if self.spent.replies < (1 if is_page else 2) or not bearable:
            raise throttled

    def _counted(self, answer: Reply | AuthFailed) -> Reply:
        if isinstance(answer, AuthFailed):
            raise Ends(answer)
        if answer.body is None:
            raise Ends(TooLarge("page"))
        if answer.status == _OK:  # a refusal is nothing of the record
            self.spent.replies += 1
            self.spent.byte_count += len(answer.body)
            self.spent.objects += answer.body.count(b"{")
        self.spent.page = max(self.spent.page, len(answer.body))
        if self.spent.weight > self.limits.byte_count:
            raise Ends(TooLarge("record"))
        return answer


def _refusal(reply: Reply) -> Failed:
    if reply.status == 404:  # noqa: PLR2004 - HTTP
        return NotFound()
    if reply.status == 403:  # noqa: PLR2004 - HTTP
        return Forbidden(error_code(reply))
    return Refused(reply.status, error_code(reply))
