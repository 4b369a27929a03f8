"""Which month a call is filed under, and which months have partitions made for them."""

from datetime import UTC, date, datetime

from ringback_sink.store.model.version import CHILDREN

__all__ = ["CHILD_TABLES", "first_of_month", "months_ahead", "shifted", "worth_a_partition"]

CHILD_TABLES = tuple(f"{table}_row" for table in CHILDREN)
"""The tables partitioned by the month of their call's start."""

_BACK, _AHEAD = 2, 3
_OLDEST, _YOUNGEST = -24, 2
"""Graph serves 30 days; what claims to lie outside these months of today goes to the DEFAULT partition."""


def first_of_month(call_start: str) -> date:
    """The UTC month of a time on the wire, as its first day.

    Raises:
        ValueError: there is no such month.
    """
    return date(int(call_start[:4]), int(call_start[5:7]), 1)


def shifted(month: date, by: int) -> date:
    """The month so many months later; earlier if negative."""
    years, index = divmod(month.year * 12 + month.month - 1 + by, 12)
    return date(years, index + 1, 1)


def months_ahead(now: datetime) -> tuple[date, ...]:
    """The months made ahead at migration and at start: two back for Graph's 30 days, three to come."""
    this = now.astimezone(UTC).date().replace(day=1)
    return tuple(shifted(this, by) for by in range(-_BACK, _AHEAD + 1))


def worth_a_partition(month: date, now: datetime) -> bool:
    """Whether a month is made when a call of it comes; a nonsensical start must not make a table."""
    this = now.astimezone(UTC).date().replace(day=1)
    return shifted(this, _OLDEST) <= month <= shifted(this, _YOUNGEST)
