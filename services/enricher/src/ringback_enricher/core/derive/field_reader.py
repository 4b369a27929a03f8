"""Reading Graph's values: everything may be missing, null or of an undocumented type; nothing raises."""

from functools import lru_cache
from typing import Any, NamedTuple, cast

from ringback_graph import parse

__all__ = [
    "FieldReader",
    "Members",
    "TimeSpan",
    "filled",
    "instant",
    "is_silent",
    "members",
    "objects",
    "text",
    "words",
]

Members = dict[str, Any]
_LEAST, _MOST = -(2**63), 2**63 - 1
_NOTHING: Members = {}
_NO_OBJECTS: list[Members] = []


class TimeSpan(NamedTuple):
    """From a start to an end; what is missing or unreadable is None.

    Attributes:
        start: as on the wire.
        end: as on the wire.
        started: microseconds since the epoch.
        ended: microseconds since the epoch.
        milliseconds: end minus start, cut towards zero; negative where Graph's times are.
        is_negative: whether it ends before it starts.
        unreadable: how many of the two were there and could not be read.
    """

    start: str | None
    end: str | None
    started: int | None
    ended: int | None
    milliseconds: int | None
    is_negative: bool
    unreadable: int


# A record repeats few times and durations over and over: a hit costs a tenth of a parse.
@lru_cache(maxsize=16_384)
def _span(start: str | None, end: str | None) -> TimeSpan:
    started, ended = parse.epoch_micros(start), parse.epoch_micros(end)
    unreadable = (start is not None and started is None) + (end is not None and ended is None)
    is_negative = started is not None and ended is not None and ended < started
    elapsed = _milliseconds_between(started, ended)
    return TimeSpan(_wire(started), _wire(ended), started, ended, elapsed, is_negative, unreadable)


@lru_cache(maxsize=16_384)
def _milliseconds(value: str) -> float | None:
    return parse.duration_ms(value)


def _wire(micros: int | None) -> str | None:
    return None if micros is None else parse.wire_timestamp(micros)


def _milliseconds_between(start: int | None, end: int | None) -> int | None:
    if start is None or end is None:
        return None
    return (end - start) // 1000 if end >= start else -((start - end) // 1000)


class FieldReader:
    """Reads the values of one record and counts those that could not be read."""

    __slots__ = ("negative_durations", "unparsable")

    def __init__(self) -> None:
        self.unparsable = 0
        self.negative_durations = 0

    def span(self, start: Any, end: Any) -> TimeSpan:
        """Two of Graph's DateTimeOffsets; year 1, its "no date", counts as unreadable."""
        if type(start) is str and type(end) is str:
            span = _span(start, end)
        else:
            span = _span(text(start), text(end))
            self.unparsable += sum(value is not None and not isinstance(value, str) for value in (start, end))
        if span.unreadable:
            self.unparsable += span.unreadable
        return span

    def elapsed(self, start: Any, end: Any) -> TimeSpan:
        """Read the span of a call, a session, a segment or a stream; one that ends before it starts is counted."""
        span = self.span(start, end)
        if span.is_negative:
            self.negative_durations += 1
        return span

    def milliseconds(self, value: Any) -> float | None:
        """An ISO 8601 duration of Graph's, not null."""
        read = _milliseconds(value) if type(value) is str else None
        if read is None:
            self.unparsable += 1
        return read

    def number(self, value: Any) -> float | None:
        """A Single or Double of Graph's, not null."""
        read = parse.number(value)
        if read is None:
            self.unparsable += 1
        return read

    def whole(self, value: Any) -> int | None:
        """An Int32 or Int64 of Graph's, not null."""
        if type(value) is int and _LEAST <= value <= _MOST:
            return value
        read = parse.integer(value)
        if read is None:
            self.unparsable += 1
        return read


def is_silent(block: Members, *, saying: tuple[Any, ...] = ()) -> bool:
    """Whether a block of Graph's is empty: all it holds, at any depth, is null, blank or one of `saying`.

    Annotations (`@odata.type`, `hops@odata.context`) are no members. Graph sends such blocks for a network it knows
    nothing of, and as a `failureInfo` where nothing failed (graph-docs issue 13069).
    """
    # A loop over what is left, for Graph may nest as deeply as it likes; it nearly always ends at the first value.
    left: list[Any] = [block]
    while left:
        value = left.pop()
        if isinstance(value, dict):
            named = cast("Members", value)
            left += [named[name] for name in named if "@" not in name]
        elif isinstance(value, list):
            left += cast("list[Any]", value)
        elif not (value is None or value in saying or (isinstance(value, str) and not value.strip())):
            return False
    return True


def instant(value: Any) -> int | None:
    """A time in microseconds for sorting; what cannot be read is counted elsewhere."""
    return parse.epoch_micros(value)


def text(value: Any) -> str | None:
    """A string, or nothing."""
    return value if isinstance(value, str) else None


def filled(value: Any) -> str | None:
    """A string that is more than blanks, or nothing."""
    return value if isinstance(value, str) and value.strip() else None


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
