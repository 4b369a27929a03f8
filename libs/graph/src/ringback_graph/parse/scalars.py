"""Times, durations and numbers as OData writes them: Edm.DateTimeOffset, Edm.Duration, Edm.Single, Edm.Int64."""

import math
import re
from datetime import UTC, datetime, timedelta
from functools import lru_cache

__all__ = ["duration_ms", "epoch_micros", "integer", "number", "text", "timestamp", "wire_timestamp"]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_YEAR_TWO = datetime(2, 1, 1, tzinfo=UTC)
_LAST = datetime.max.replace(tzinfo=UTC)
_SHAPE = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(?:\.\d{1,12})?(?:[Zz]|[+-]\d\d:\d\d)", re.ASCII)
_DURATION = re.compile(
    r"([+-])?P(?=[\dT])(?:(\d{1,9})D)?(?:T(?=[\d.])(?:(\d{1,9})H)?(?:(\d{1,9})M)?(?:(\d{1,12}(?:\.\d{0,12})?)S)?)?",
    re.ASCII,
)
_INT64 = 2**63
_LONGEST_NUMBER = 40
"""Characters; the longest Double or Int64 has some 25, and int() of a huge text is quadratic."""


def epoch_micros(value: object) -> int | None:
    """Microseconds since 1970 of a DateTimeOffset, cut (never rounded) after the sixth fraction digit.

    Graph writes 0 to 7 fraction digits and `Z` or an offset. Year 1 is .NET's "no date" and reads as None, as do a
    time without an offset and a time outside the years 2 to 9999 in UTC.
    """
    return _epoch_micros(value) if isinstance(value, str) else None


@lru_cache(maxsize=4096)
def _epoch_micros(value: str) -> int | None:
    # A record repeats the same few times in its sessions, segments and streams; a hit costs a tenth of a parse.
    if _SHAPE.fullmatch(value) is None:
        return None
    try:
        moment = datetime.fromisoformat(value.upper())
    except ValueError:
        return None
    return (moment - _EPOCH) // _MICROSECOND if _YEAR_TWO <= moment <= _LAST else None


def wire_timestamp(micros: int) -> str:
    """RFC 3339 in UTC with `Z`; no fraction where the microseconds are 0, else six digits: what pydantic writes too."""
    return (_EPOCH + timedelta(microseconds=micros)).isoformat()[:-6] + "Z"


def timestamp(value: object) -> str | None:
    """Graph's text of a time as the wire's text of the same time."""
    return _timestamp(value) if isinstance(value, str) else None


@lru_cache(maxsize=4096)
def _timestamp(value: str) -> str | None:
    micros = _epoch_micros(value)
    return None if micros is None else wire_timestamp(micros)


def duration_ms(value: object) -> float | None:
    """Milliseconds of an ISO 8601 duration such as `PT0.016S`; days to seconds only, as Edm.Duration has no months."""
    found = _DURATION.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        return None
    sign, days, hours, minutes, seconds = found.groups()
    milliseconds = round(float(seconds) * 1000, 6) if seconds else 0.0
    if days or hours or minutes:
        milliseconds += (int(days or 0) * 1440 + int(hours or 0) * 60 + int(minutes or 0)) * 60_000
    return -milliseconds if sign == "-" else milliseconds


def number(value: object) -> float | None:
    """A finite Single or Double; OData's texts `NaN`, `INF` and `-INF` mean "no value", numeric texts are read."""
    if isinstance(value, bool):
        return None
    if isinstance(value, str) and (len(value) > _LONGEST_NUMBER or "_" in value):
        return None
    if not isinstance(value, (int, float, str)):
        return None
    try:
        read = float(value)
    except (ValueError, OverflowError):
        return None
    return read if math.isfinite(read) else None


def integer(value: object) -> int | None:
    """An Int32 or Int64; IEEE754Compatible texts and whole floats are read, what 64 bits cannot hold is not."""
    if type(value) is int:
        return value if -_INT64 <= value < _INT64 else None
    if isinstance(value, float):
        return int(value) if value.is_integer() and abs(value) < _INT64 else None
    if isinstance(value, str) and len(value) <= _LONGEST_NUMBER and _is_whole(value):
        return integer(int(value))
    return None


def _is_whole(value: str) -> bool:
    return value.isascii() and value.removeprefix("-").isdigit()


def text(value: object) -> str | None:
    """A string as it is; anything else is None."""
    return value if isinstance(value, str) else None
