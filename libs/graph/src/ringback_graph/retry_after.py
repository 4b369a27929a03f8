"""The seconds that a reply asks to wait. Pure: the time comes in as an argument."""

import re
from collections.abc import Mapping
from datetime import datetime
from email.utils import parsedate_to_datetime

__all__ = ["retry_after"]

_DEFAULT_RETRY_AFTER = 10.0
"""Seconds where a 429 names none: half of Graph's window, after which half of what was used is free again."""
_SHORTEST_RETRY_AFTER = 1.0
"""Graph asks never to retry at once; `0` and a date just past would."""
_LONGEST_RETRY_AFTER = 86_400.0
_SECONDS = re.compile(r"[0-9]+(?:\.[0-9]+)?\Z", re.ASCII)


def retry_after(headers: Mapping[str, str], now: datetime) -> float:
    """Seconds to wait: a number, or an HTTP date against the reply's own `Date`, for our clock may be wrong."""
    written = headers.get("Retry-After", "").strip()
    if _SECONDS.match(written):
        return _bounded(float(written))
    until = _http_date(written)
    if until is None:
        return _DEFAULT_RETRY_AFTER
    since = _http_date(headers.get("Date", "")) or now
    return _bounded((until - since).total_seconds())


def _bounded(seconds: float) -> float:
    return min(max(_SHORTEST_RETRY_AFTER, seconds), _LONGEST_RETRY_AFTER)


def _http_date(written: str) -> datetime | None:
    try:
        moment = parsedate_to_datetime(written)
    except (ValueError, OverflowError):
        return None
    return moment if moment.tzinfo is not None else None
