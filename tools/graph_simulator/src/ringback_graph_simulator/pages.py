"""Bodies of responses: a record with its first pages, pages of children, pages of the list (graph.md 3.4)."""

from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

import orjson

from ringback_graph_simulator.calls import Call
from ringback_graph_simulator.media import FUTURE_MEMBERS
from ringback_graph_simulator.odata import (
    Expand,
    GraphError,
    Prefer,
    StartFilter,
    read_skiptoken,
    skiptoken,
    whole,
)
from ringback_graph_simulator.world import World

__all__ = ["PAGE_SIZES", "ChildQuery", "ListQuery", "Pages"]

PAGE_SIZES = {"sessions": 60, "participants_v2": 130, "list": 60}
"""Most items of one page (graph.md 3.4); `Prefer: odata.maxpagesize` may lower it."""

_FUTURE = [
    (f'"{member}":"{value}"'.encode(), f'"{member}":"unknownFutureValue"'.encode())
    for member, values in FUTURE_MEMBERS.items()
    for value in values
]


@dataclass(frozen=True, slots=True)
class ChildQuery:
    """A page of sessions or participants_v2: from `offset`, at most `size`."""

    kind: str
    offset: int
    size: int
    segments: bool = False
    select: tuple[str, ...] = ()

    @classmethod
    def first(cls, kind: str, prefer: Prefer, *, segments: bool = False, select: tuple[str, ...] = ()) -> "ChildQuery":
        """The first page, of the size that limit and preference allow."""
        limit = PAGE_SIZES[kind]
        return cls(kind, 0, min(prefer.page_size or limit, limit), segments, select)

    def at(self, token: str) -> "ChildQuery":
        """The page behind a skip token. Raises GraphError 400."""
        offset, size = read_skiptoken(token, 2)
        return replace(self, offset=whole(offset), size=whole(size, least=1))

    @property
    def number(self) -> int:
        """1 for the first page."""
        return self.offset // self.size + 1


@dataclass(frozen=True, slots=True)
class ListQuery:
    """A page of LIST: the calls behind `after` (start, id)."""

    bounds: StartFilter
    size: int
    filter_text: str = ""
    select: tuple[str, ...] = ()
    after: tuple[float, str] | None = None


class Pages:
    """Assembles bytes; `root` is this simulator's own Graph URL, which every next link starts with."""

    def __init__(self, world: World, root: str) -> None:
        self._world = world
        self.root = root

    def record(self, call: Call, expand: Expand, prefer: Prefer, select: tuple[str, ...]) -> bytes:
        """GET of a record. Raises GraphError 400 for an unknown $select."""
        if call.installed is not None and not call.installed.own_links and not select:
            return _dump(call.installed.body)
        body = {"@odata.context": self._context("$entity")} | _selected(self._world.header(call), select)
        parts = [_dump(body)[:-1]]
        if expand.sessions:
            parts += self._expanded(call, ChildQuery.first("sessions", prefer, segments=expand.segments))
        if expand.participants:
            parts += self._expanded(call, ChildQuery.first("participants_v2", prefer))
        elif call.installed is not None and "participants_v2" in call.installed.body:
            parts += self._listed(call, ChildQuery.first("participants_v2", prefer))
        return _preferred(b"".join([*parts, b"}"]), prefer)

    def children(self, call: Call, query: ChildQuery, prefer: Prefer) -> bytes:
        """One page of a sub-resource."""
        body = (
            b'{"@odata.context":' + _dump(self._context(query.kind)) + b',"value":[' + self._slice(call, query) + b"]"
        )
        link = self._next_link(call, query)
        if link is not None:
            body += b',"@odata.nextLink":' + _dump(link)
        return _preferred(body + b"}", prefer)

    def listing(self, tenant_id: str, query: ListQuery) -> bytes:
        """One page of LIST, by start."""
        position = query.after or (query.bounds.lower, "")
        calls: list[Call] = []
        for call in self._world.between(tenant_id, position):
            if call.plan.start > query.bounds.upper or len(calls) > query.size:
                break
            if query.bounds.admits(call.plan.start):
                calls.append(call)
        page = calls[: query.size]
        body: dict[str, Any] = {"@odata.context": self._context("")}
        body["value"] = [_selected(self._world.header(call), query.select) for call in page]
        if len(calls) > query.size:
            body["@odata.nextLink"] = self._list_link(query, page[-1])
        return _dump(body)

    def _expanded(self, call: Call, query: ChildQuery) -> list[bytes]:
        parts, link = self._listed(call, query), self._next_link(call, query)
        return parts if link is None else [*parts, f',"{query.kind}@odata.nextLink":'.encode(), _dump(link)]

    def _listed(self, call: Call, query: ChildQuery) -> list[bytes]:
        """A page without its link: what a document shows unasked goes on where it is asked for."""
        name = query.kind.encode()
        parts = [b',"' + name + b'@odata.context":', _dump(self._context(query.kind)), b',"' + name + b'":[']
        return [*parts, self._slice(call, query), b"]"]

    def _slice(self, call: Call, query: ChildQuery) -> bytes:
        page = self._of_kind(call, query.kind)[query.offset : query.offset + query.size]
        if query.kind == "sessions" and not query.segments:
            page = [_without_segments(child) for child in page]
        if query.select:
            page = [_dump(_selected(orjson.loads(child), (*query.select, "segments"))) for child in page]
        return b",".join(page)

    def _of_kind(self, call: Call, kind: str) -> list[bytes]:
        document = self._world.document(call)
        return document.sessions if kind == "sessions" else document.participants

    def _next_link(self, call: Call, query: ChildQuery) -> str | None:
        end = query.offset + query.size
        count = len(self._of_kind(call, query.kind))
        promised = call.installed is not None and f"{query.kind}@odata.nextLink" in call.installed.body
        if end >= count and not (promised and query.offset == 0):
            return None
        path = f"{self.root}/v1.0/communications/callRecords('{quote(call.plan.call_id, safe='')}')/{query.kind}"
        options = ["$expand=segments"] if query.segments else []
        if query.select:
            options.append("$select=" + ",".join(query.select))
        return path + "?" + "&".join([*options, f"$skiptoken={skiptoken(end, query.size)}"])

    def _list_link(self, query: ListQuery, last: Call) -> str:
        options = [f"$filter={quote(query.filter_text)}"] if query.filter_text else []
        if query.select:
            options.append("$select=" + ",".join(query.select))
        token = skiptoken(repr(last.plan.start), last.plan.call_id, query.size)
        return f"{self.root}/v1.0/communications/callRecords?" + "&".join([*options, f"$skiptoken={token}"])

    def _context(self, what: str) -> str:
        return f"{self.root}/v1.0/$metadata#communications/callRecords" + (f"/{what}" if what else "")


def _dump(value: Any) -> bytes:
    return orjson.dumps(value)


def _selected(body: dict[str, Any], select: tuple[str, ...]) -> dict[str, Any]:
    if not select:
        return body
    for name in select:
        if not name.replace("_", "").isalnum():
            raise GraphError(HTTPStatus.BAD_REQUEST, "BadRequest", f"Could not find a property named '{name}'.")
    return {name: body[name] for name in body if name in select}


def _without_segments(child: bytes) -> bytes:
    session = orjson.loads(child)
    session.pop("segments", None)
    return orjson.dumps(session)


def _preferred(body: bytes, prefer: Prefer) -> bytes:
    if not prefer.unknown_members:
        for future, sentinel in _FUTURE:
            body = body.replace(future, sentinel)
    return orjson.dumps(_without_nulls(orjson.loads(body))) if prefer.omit_nulls else body


def _without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _without_nulls(member) for name, member in value.items() if member is not None}  # pyright: ignore[reportUnknownVariableType]
    return [_without_nulls(item) for item in value] if isinstance(value, list) else value  # pyright: ignore[reportUnknownVariableType]
