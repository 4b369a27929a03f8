"""Reading one whole call record of one version.

Graph pages sessions (60) and participants (130) and gives pages no version. So: the record, every next link, and, if
more than one reply was read, the version again; if it changed, everything once more.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple, cast
from urllib.parse import quote
from uuid import UUID

from ringback_common.errors import Throttled, Transient

from ringback_graph.answers import (
    Answer,
    AuthFailed,
    Current,
    Failed,
    Forbidden,
    Found,
    Hostile,
    Malformed,
    NeedsBulk,
    NotFound,
    Refused,
    TooLarge,
    Unstable,
)
from ringback_graph.budget import Priority
from ringback_graph.budget.allotment import record_scope
from ringback_graph.budget.gate import LONGEST_FREEZE
from ringback_graph.client import Call, GraphClient, error_code, json_object
from ringback_graph.expands import Expands
from ringback_graph.links import HostileLink
from ringback_graph.parse import integer, text
from ringback_graph.room import Boundless, Room
from ringback_graph.tenants import Tenant
from ringback_graph.transport import Reply

__all__ = ["ReadLimits", "RecordReader"]

_SESSIONS = "$expand=sessions($expand=segments)"
_VERSION = "$select=id,version,lastModifiedDateTime"
_NEXT = "@odata.nextLink"
_MORE_SEGMENTS = f"segments{_NEXT}"
_OK = 200
_LEAST_OF_AN_OBJECT = 128
_NOBODY_S = str(UUID(int=0))


@dataclass(frozen=True, slots=True)
class ReadLimits:
    """The caps of one read."""

    live_requests: int = 8
    """A live record that needs more moves to the bulk lane."""
    requests: int = 500
    """25,000 sessions are 417 pages; as much fits into one Kafka message."""
    octets: int = 40 * 1024 * 1024
    """Bytes of JSON of all replies of one attempt that are of the record, after decompression; an object counts for 128
    at least. Graph's have some 260 on average: what derives much from little must not take more memory than a record at
    the limit."""
    seconds: float = 900.0
    """500 pages of one record need 320 s at Graph's limit of 40 in 20 s."""
    attempts: int = 4
    """The first and three more, if the record changes while its pages are read."""
    patience: int = 3
    """How often a read that already holds pages waits out a short Retry-After instead of giving them up."""


class _Ends(Exception):  # noqa: N818 - control flow within this module: the read is over, here is its answer
    def __init__(self, answer: Failed) -> None:
        super().__init__()
        self.answer = answer


class _Changed(Exception):  # noqa: N818 - control flow within this module: the pages belong to no single version
    pass


class _Page(NamedTuple):
    """Where a further page's values belong."""

    holder: dict[str, Any]
    member: str
    link: object


@dataclass(slots=True)
class _Spent:
    """What one read has used so far."""

    started: float
    requests: int = 0
    octets: int = 0
    objects: int = 0
    page: int = 0
    """Bytes of the largest reply: what the next one may be expected to have."""
    pauses: int = 0
    replies: int = 0
    """Replies of the current attempt."""
    followed: set[str] = field(default_factory=set[str])

    @property
    def weight(self) -> int:
        """Bytes of JSON, as `ReadLimits.octets` counts them."""
        return max(self.octets, self.objects * _LEAST_OF_AN_OBJECT)


class RecordReader:
    """Reads records; remembers for an hour which tenants' Graph refuses sessions and participants in one expand."""

    def __init__(self, client: GraphClient, limits: ReadLimits | None = None) -> None:
        self._client = client
        self._limits = limits or ReadLimits()
        self._expands = Expands()

    async def read(
        self,
        tenant: Tenant,
        call_id: str,
        priority: Priority,
        trace_id: str | None = None,
        room: Room | None = None,
    ) -> Answer:
        """One whole version of a record, or why there is none; its replies are taken by `room`, page by page.

        Raises:
            Transient: timeout, connection, 5xx, or the read took too long.
            Throttled: Graph asks to wait; the scope is already held.
        """
        reading = _Reading(self._client, self._limits, self._expands, tenant, call_id, priority, trace_id)
        reading.room = room or Boundless()
        try:
            return await reading.run()
        except _Ends as end:
            return end.answer
        except HostileLink as hostile:
            return Hostile(hostile.why)

    async def version(
        self, tenant: Tenant, call_id: str, priority: Priority, room: Room | None = None
    ) -> Current | Failed:
        """Which version Graph has of a record now, in one request, or why that is not known; `room` as for `read`.

        Raises:
            Transient: timeout, connection, 5xx.
            Throttled: Graph asks to wait; the scope is already held.
        """
        reading = _Reading(self._client, self._limits, self._expands, tenant, call_id, priority, None)
        reading.room = room or Boundless()
        try:
            return await reading.version()
        except _Ends as end:
            return end.answer

    async def reachable(self, tenant: Tenant, call_id: str | None = None) -> bool | None:
        """Whether Graph answers this tenant, whatever it says; None if that cannot be told.

        So it is without a token Graph takes, and when the tenant has to wait, be it told so now or before.

        Args:
            tenant: who asks.
            call_id: the record to ask for, as a read would begin; by default the version of one that nobody has.
        """
        name, query = (_NOBODY_S, _VERSION) if call_id is None else (call_id, _SESSIONS)
        url = f"{tenant.graph_url}/v1.0/communications/callRecords/{quote(name, safe='')}?{query}"
        call = Call(tenant, "witness", "GET", url, Priority.LIVE, record_scope(tenant.tenant_id, name))
        try:
            reply = await self._client.send(call)
        except Throttled:
            return None
        except Transient:
            return False
        return None if isinstance(reply, AuthFailed) else True


class _Reading:
    """One read of one record."""

    def __init__(
        self,
        client: GraphClient,
        limits: ReadLimits,
        expands: Expands,
        tenant: Tenant,
        call_id: str,
        priority: Priority,
        trace_id: str | None,
    ) -> None:
        self._client, self._limits, self._expands = client, limits, expands
        self._tenant, self._call_id, self._priority, self._trace_id = tenant, call_id, priority, trace_id
        self._url = f"{tenant.graph_url}/v1.0/communications/callRecords/{quote(call_id, safe='')}"
        self._spent = _Spent(client.clock.monotonic())
        self.room: Room = Boundless()

    async def run(self) -> Answer:
        for _ in range(self._limits.attempts):
            self._spent.replies, self._spent.octets, self._spent.objects = 0, 0, 0
            self._spent.followed.clear()
            self.room.restart()
            try:
                return await self._attempt()
            except _Changed:
                continue
        return Unstable(self._spent.requests)

    async def version(self) -> Current:
        return Current(self._version_of(await self._get("version", f"{self._url}?{_VERSION}")))

    async def _attempt(self) -> Found:
        started = self._client.clock.now()
        separate, record = await self._record()
        await self._pages(record)
        if separate:
            await self._participants(record)
        if self._spent.replies > 1:
            await self._unchanged(record)
        return self._found(record, started)

    async def _record(self) -> tuple[bool, dict[str, Any]]:
        """The record with its first sessions and, unless they must be asked for separately, its first participants."""
        tenant_id = self._tenant.tenant_id
        if self._expands.separate(tenant_id, self._client.clock.monotonic()):
            return True, await self._get("record", f"{self._url}?{_SESSIONS}")
        reply = await self._send("record", f"{self._url}?{_SESSIONS},participants_v2")
        if reply.status != 400:  # noqa: PLR2004 - HTTP
            record = self._checked(reply)
            self._expands.accepted(tenant_id)
            return False, record
        record = await self._get("record", f"{self._url}?{_SESSIONS}")
        self._expands.refused(tenant_id, self._client.clock.monotonic())
        return True, record

    async def _participants(self, record: dict[str, Any]) -> None:
        page = await self._get("page", f"{self._url}/participants_v2")
        record["participants_v2"] = _values(page, "participants_v2")
        await self._follow(_Page(record, "participants_v2", page.get(_NEXT)))

    async def _pages(self, record: dict[str, Any]) -> None:
        for page in list(_unread(record)):
            await self._follow(page)
        for session in _objects(record.get("sessions")):
            if _MORE_SEGMENTS in session:
                await self._follow(_Page(session, "segments", session.pop(_MORE_SEGMENTS)))

    async def _follow(self, page: _Page) -> None:
        """Read a chain of pages to its end into the list it continues."""
        values = _list(page.holder, page.member)
        link = page.link
        while link is not None:
            content = await self._next(link)
            values.extend(_values(content, page.member))
            link = content.get(_NEXT)

    async def _next(self, link: object) -> dict[str, Any]:
        if not isinstance(link, str) or link in self._spent.followed:
            raise _Ends(Malformed("next_link"))
        self._spent.followed.add(link)
        reply = await self._send("page", link, self._call_id)
        # A token of a page dies with the version it was made for.
        if reply.status in {400, 404, 410}:
            raise _Changed
        return self._content(reply)

    async def _unchanged(self, record: dict[str, Any]) -> None:
        """The version after the last page must be that of the first reply, else the pages may be of two versions."""
        now = await self._get("version", f"{self._url}?{_VERSION}")
        if _told_apart(now) != _told_apart(record):
            raise _Changed

    def _found(self, record: dict[str, Any], started: datetime) -> Found:
        return Found(record, self._version_of(record), self._spent.requests, started, self._spent.weight)

    def _version_of(self, record: dict[str, Any]) -> int:
        version, name = integer(record.get("version")), record.get("id")
        if not isinstance(name, str) or name.casefold() != self._call_id.casefold():
            raise _Ends(Malformed("id"))
        if version is None:
            raise _Ends(Malformed("version"))
        return version

    async def _get(self, operation: str, url: str) -> dict[str, Any]:
        return self._checked(await self._send(operation, url))

    def _checked(self, reply: Reply) -> dict[str, Any]:
        if reply.status == _OK:
            return self._content(reply)
        raise _Ends(_refusal(reply))

    def _content(self, reply: Reply) -> dict[str, Any]:
        if reply.status != _OK:
            raise _Ends(_refusal(reply))
        content = json_object(reply)
        if content is None:
            raise _Ends(Malformed("json"))
        return content

    async def _send(self, operation: str, url: str, record: str | None = None) -> Reply:
        self._allow()
        scope = record_scope(self._tenant.tenant_id, self._call_id)
        call = Call(
            self._tenant,
            operation,
            "GET",
            url,
            self._priority,
            scope,
            trace_id=self._trace_id,
            record=record,
            room=self.room,
        )
        while True:
            await self.room.ahead(self._spent.page)
            self._spent.requests += 1
            try:
                answer = await self._client.send(call)
            except Throttled as throttled:
                self._endure(throttled)
            else:
                return self._counted(answer)

    def _allow(self) -> None:
        spent, limits = self._spent, self._limits
        if self._priority is Priority.LIVE and spent.requests >= limits.live_requests:
            raise _Ends(NeedsBulk(spent.requests))
        if spent.replies >= limits.requests:
            raise _Ends(TooLarge("pages"))
        if self._client.clock.monotonic() - spent.started - self.room.waited > limits.seconds:
            raise Transient("reading the record took too long")

    def _endure(self, throttled: Throttled) -> None:
        """Keep what has been read through a short pause; the budget makes the next request wait."""
        self._spent.pauses += 1
        bearable = throttled.retry_after <= LONGEST_FREEZE and self._spent.pauses <= self._limits.patience
        if self._spent.replies == 0 or not bearable:
            raise throttled

    def _counted(self, answer: Reply | AuthFailed) -> Reply:
        if isinstance(answer, AuthFailed):
            raise _Ends(answer)
        if answer.body is None:
            raise _Ends(TooLarge("page"))
        if answer.status == _OK:  # a refusal is nothing of the record
            self._spent.replies += 1
            self._spent.octets += len(answer.body)
            self._spent.objects += answer.body.count(b"{")
        self._spent.page = max(self._spent.page, len(answer.body))
        if self._spent.weight > self._limits.octets:
            raise _Ends(TooLarge("record"))
        return answer


def _told_apart(record: dict[str, Any]) -> tuple[int | None, str | None]:
    """What tells versions apart, as it is read: whatever else Graph says there may be too deep to be compared."""
    return integer(record.get("version")), text(record.get("lastModifiedDateTime"))


def _refusal(reply: Reply) -> Failed:
    if reply.status == 404:  # noqa: PLR2004 - HTTP
        return NotFound()
    if reply.status == 403:  # noqa: PLR2004 - HTTP
        return Forbidden(error_code(reply))
    return Refused(reply.status, error_code(reply))


def _unread(holder: dict[str, Any]) -> Iterator[_Page]:
    """Every collection of an object that has further pages; its next link is taken out, all else stays."""
    for name in [name for name in holder if name.endswith(_NEXT)]:
        link = holder.pop(name)
        if link is not None:
            yield _Page(holder, name.removesuffix(_NEXT), link)


def _list(holder: dict[str, Any], member: str) -> list[Any]:
    present = holder.get(member)
    if present is None:
        present = holder[member] = list[Any]()
    if not isinstance(present, list):
        raise _Ends(Malformed(member))
    return cast("list[Any]", present)


def _values(page: dict[str, Any], member: str) -> list[Any]:
    values = page.get("value")
    if not isinstance(values, list):
        raise _Ends(Malformed(member))
    return cast("list[Any]", values)


def _objects(value: object) -> Iterator[dict[str, Any]]:
    if isinstance(value, list):
        for each in cast("list[object]", value):
            if isinstance(each, dict):
                yield cast("dict[str, Any]", each)
