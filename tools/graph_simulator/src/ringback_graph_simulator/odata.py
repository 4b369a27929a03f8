"""The part of OData that call records understand: $select, $expand, $filter, Prefer, and Graph's error body."""

import base64
import re
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from ringback_graph_simulator.clock import instant, parse_instant

__all__ = [
    "Expand",
    "GraphError",
    "Prefer",
    "StartFilter",
    "error_body",
    "number",
    "parse_expand",
    "parse_filter",
    "parse_prefer",
    "read_skiptoken",
    "skiptoken",
    "whole",
]

_CLAUSE = re.compile(r"^\s*startDateTime\s+(lt|le|gt|ge)\s+(\S+)\s*$")
_AND = re.compile(r"\s+and\s+")
_PAGE_SIZE = re.compile(r"odata\.maxpagesize\s*=\s*(\d+)", re.IGNORECASE)


class GraphError(Exception):
    """A refusal in Graph's form."""

    def __init__(self, status: int, code: str, message: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.headers = headers or {}


def _bad_token() -> GraphError:
    return GraphError(HTTPStatus.BAD_REQUEST, "BadRequest", "Skip token is not valid.")


def error_body(code: str, message: str, *, at: float, request_id: str, client_request_id: str) -> dict[str, Any]:
    """Graph's error object with the ids that a support case asks for (graph.md 4.2)."""
    inner = {"date": instant(at, 0)[:-1], "request-id": request_id, "client-request-id": client_request_id}
    return {"error": {"code": code, "message": message, "innerError": inner}}


@dataclass(frozen=True, slots=True)
class Prefer:
    """The preferences of a request; `page_size` is 0 when the client named none."""

    unknown_members: bool = False
    omit_nulls: bool = False
    page_size: int = 0


def parse_prefer(values: list[str]) -> Prefer:
    """All Prefer headers of a request together."""
    text = ",".join(values)
    size = _PAGE_SIZE.search(text)
    return Prefer("include-unknown-enum-members" in text, "omit-values=nulls" in text, int(size[1]) if size else 0)


@dataclass(frozen=True, slots=True)
class Expand:
    """What GET of a record takes along."""

    sessions: bool = False
    segments: bool = False
    participants: bool = False


def parse_expand(text: str) -> Expand:
    """Read $expand of a record. Raises GraphError 400 for what a call record cannot expand."""
    parts = [part.strip() for part in re.split(r",(?![^(]*\))", text) if part.strip()]
    known = {"sessions", "sessions($expand=segments)", "participants_v2", "organizer_v2"}
    for part in parts:
        if part.replace(" ", "") not in known:
            raise GraphError(HTTPStatus.BAD_REQUEST, "BadRequest", f"Parsing OData Select and Expand failed: {part!r}.")
    names = {part.replace(" ", "") for part in parts}
    segments = "sessions($expand=segments)" in names
    return Expand(segments or "sessions" in names, segments, "participants_v2" in names)


@dataclass(frozen=True, slots=True)
class StartFilter:
    """Bounds on startDateTime, seconds since the epoch."""

    clauses: tuple[tuple[str, float], ...] = ()

    def admits(self, start: float) -> bool:
        """Whether a call that started then belongs to the list."""
        return all(_holds(operator, start, bound) for operator, bound in self.clauses)

    @property
    def lower(self) -> float:
        """A bound below which nothing is admitted."""
        return max((bound for operator, bound in self.clauses if operator in {"gt", "ge"}), default=0.0)

    @property
    def upper(self) -> float:
        """A bound above which nothing is admitted."""
        return min((bound for operator, bound in self.clauses if operator in {"lt", "le"}), default=float("inf"))


def _holds(operator: str, start: float, bound: float) -> bool:
    return {"lt": start < bound, "le": start <= bound, "gt": start > bound, "ge": start >= bound}[operator]


def parse_filter(text: str) -> StartFilter:
    """Read $filter of LIST: clauses on startDateTime joined by `and`. Raises GraphError 400 for anything else."""
    if not text:
        return StartFilter()
    clauses: list[tuple[str, float]] = []
    for part in _AND.split(text):
        match = _CLAUSE.match(part)
        try:
            clauses.append((match[1], parse_instant(match[2]))) if match else _refuse(part)
        except ValueError:
            _refuse(part)
    return StartFilter(tuple(clauses))


def _refuse(part: str) -> None:
    raise GraphError(HTTPStatus.BAD_REQUEST, "BadRequest", f"Invalid filter clause: {part!r} is not supported.")


def skiptoken(*fields: object) -> str:
    """An opaque position, written so that it is only understood byte for byte: `%2b` decoded too early is a space."""
    return "%2b%2f" + base64.urlsafe_b64encode("|".join(map(str, fields)).encode()).decode().rstrip("=") + "%3d"


def read_skiptoken(token: str, fields: int) -> list[str]:
    """The fields of a position, decoded once. Raises GraphError 400 if it is not one of ours."""
    inner = token.removeprefix("+/").removesuffix("=")
    if len(token) != len(inner) + 3:
        raise _bad_token()
    try:
        text = base64.urlsafe_b64decode(inner + "=" * (-len(inner) % 4)).decode()
    except ValueError:
        text = ""
    parts = text.split("|")
    if len(parts) != fields:
        raise _bad_token()
    return parts


def number(text: str) -> float:
    """A number of a skip token. Raises GraphError 400."""
    try:
        return float(text)
    except ValueError:
        raise _bad_token() from None


def whole(text: str, *, least: int = 0) -> int:
    """A whole number of a skip token. Raises GraphError 400."""
    if not text.isdecimal() or int(text) < least:
        raise _bad_token()
    return int(text)
