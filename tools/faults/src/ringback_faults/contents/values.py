"""The common form into which every reading of a version is brought: small, comparable, without a payload. Pure."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import orjson

__all__ = ["Contents", "array", "digest", "micros", "objects", "shape", "text", "times", "whole"]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_EXACT = 2.0**53
"""Below it a double holds every whole number; far above, JSON has no integer for it."""


@dataclass(frozen=True, slots=True)
class Contents:
    """What is said of a version. A part that an event does not say keeps its default.

    Attributes:
        call: digest of type, start, end and modalities.
        count: how many sessions are said to be in the version.
        kinds: the parties' kinds, by index.
        people: digest of the parties' kinds and ids, by index.
        sessions: by ordinal the digest of a session: id, times, modalities, both sides with party and kind, streams.
    """

    call: str = ""
    count: int = 0
    kinds: tuple[str, ...] = ()
    people: str = ""
    sessions: Mapping[int, str] = field(default_factory=dict[int, str])


def digest(value: Any) -> str:
    """Of a JSON value; 0.0 is 0, for PostgreSQL writes a number without a fraction so."""
    return hashlib.sha256(orjson.dumps(_without_fractions(value))).hexdigest()[:16]


def _without_fractions(value: Any) -> Any:
    if isinstance(value, list):
        return [_without_fractions(one) for one in cast("list[Any]", value)]
    return int(value) if isinstance(value, float) and value.is_integer() and abs(value) < _EXACT else value


def micros(value: Any) -> int | None:
    """A time as microseconds since 1970, cut; None for what is no time, and for year 1, which is Graph's "none"."""
    try:
        moment = datetime.fromisoformat(value)
    except (TypeError, ValueError):
        return None
    if moment.tzinfo is None or moment.year == 1:
        return None
    return (moment - _EPOCH) // _MICROSECOND


def times(value: Mapping[str, Any]) -> list[int | None]:
    """Start and end of a call, a session or a stream of Graph's, as `micros`."""
    return [micros(value.get("startDateTime")), micros(value.get("endDateTime"))]


def shape(value: Any) -> dict[str, Any]:
    """A JSON object, or an empty one."""
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


def array(value: Any) -> list[Any]:
    """A JSON array, or an empty one."""
    return cast("list[Any]", value) if isinstance(value, list) else []


def objects(value: Any) -> list[dict[str, Any]]:
    """The objects of a JSON array."""
    return [shape(one) for one in array(value) if isinstance(one, dict)]


def text(value: Any) -> str | None:
    """A string that is not empty, or None."""
    return value if isinstance(value, str) and value else None


def whole(value: Any) -> int:
    """A whole number; -1, which no index and no count is, for anything else."""
    return value if isinstance(value, int) else -1
