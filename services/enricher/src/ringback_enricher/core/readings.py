"""Reading Graph's values: everything may be missing, null or of a type nobody promised, and nothing may raise."""

from functools import lru_cache
from typing import Any, TypeVar, cast

from ringback_graph import parse

__all__ = [
    "NO_MOMENT",
    "Members",
    "Moment",
    "Readings",
    "instant",
    "members",
    "milliseconds_between",
    "objects",
    "text",
    "words",
]

_Read = TypeVar("_Read")
Members = dict[str, Any]
Moment = tuple[str | None, int | None]
"""A time as wire text and as microseconds since the epoch; both None if there is none."""

_LEAST, _MOST = -(2**63), 2**63 - 1
NO_MOMENT: Moment = (None, None)
_NOTHING: Members = {}
_NO_OBJECTS: list[Members] = []


@lru_cache(maxsize=16_384)
def _moment(value: str) -> Moment:
    micros = parse.epoch_micros(value)
    return NO_MOMENT if micros is None else (parse.wire_timestamp(micros), micros)


@lru_cache(maxsize=16_384)
def _milliseconds(value: str) -> float | None:
    return parse.duration_ms(value)


class Readings:
    """Reads the values of one record and counts those that could not be read."""

    __slots__ = ("negative_durations", "unparsable")

    def __init__(self) -> None:
        self.unparsable = 0
        self.negative_durations = 0

    def moment(self, value: Any) -> Moment:
        """Graph's DateTimeOffset; a sentinel of year 1 counts as unreadable."""
        if value is None:
            return NO_MOMENT
        read = _moment(value) if isinstance(value, str) else NO_MOMENT
        if read is NO_MOMENT:
            self.unparsable += 1
        return read

    def milliseconds(self, value: Any) -> float | None:
        """Graph's ISO 8601 duration."""
        read = _milliseconds(value) if isinstance(value, str) else None
        return self._counted(value, read)

    def number(self, value: Any) -> float | None:
        """Graph's Single or Double."""
        return self._counted(value, parse.number(value))

    def whole(self, value: Any) -> int | None:
        """Graph's Int32 or Int64."""
        if type(value) is int and _LEAST <= value <= _MOST:
            return value
        return self._counted(value, parse.integer(value))

    def elapsed(self, start: int | None, end: int | None) -> int | None:
        """End minus start in ms, both in microseconds; a negative one is counted and kept as Graph tells it."""
        if start is not None and end is not None and end < start:
            self.negative_durations += 1
        return milliseconds_between(start, end)

    def _counted(self, value: Any, read: _Read | None) -> _Read | None:
        if read is None and value is not None:
            self.unparsable += 1
        return read


def milliseconds_between(start: int | None, end: int | None) -> int | None:
    """Whole milliseconds from one moment in microseconds to another, cut towards zero."""
    if start is None or end is None:
        return None
    return (end - start) // 1000 if end >= start else -((start - end) // 1000)


def instant(value: Any) -> int | None:
    """A time in microseconds for sorting; what cannot be read is counted elsewhere."""
    return _moment(value)[1] if isinstance(value, str) else None


def text(value: Any) -> str | None:
    """A string, or nothing."""
    return value if isinstance(value, str) else None


def members(value: Any) -> Members:
    """A JSON object, or an empty one."""
    return cast("Members", value) if isinstance(value, dict) else _NOTHING


def objects(value: Any) -> list[Members]:
    """The JSON objects of an array; whatever else it holds is left out."""
    if not isinstance(value, list):
        return _NO_OBJECTS
    found = cast("list[Any]", value)
    return [each for each in found if isinstance(each, dict)]


def words(value: Any) -> list[str]:
    """The strings of an array."""
    return [each for each in cast("list[Any]", value) if isinstance(each, str)] if isinstance(value, list) else []
