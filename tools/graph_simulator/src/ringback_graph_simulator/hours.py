"""Office hours: when calls that are notified within a minute ended in the course of days. Pure."""

from bisect import bisect_right
from datetime import UTC, datetime, timedelta
from itertools import accumulate

__all__ = ["working_moment"]

_FIRST_HOUR = 7
_CALLS = (2, 6, 11, 12, 10, 5, 8, 11, 10, 7, 4, 2)
"""How many calls end in each hour from the first one on, UTC, relative to each other: two humps and a lunch break."""
_UNTIL = tuple(accumulate(_CALLS, initial=0))
_FRIDAY = 4


def working_moment(share: float, days: int, now: float) -> float:
    """The moment, in seconds since the epoch, that has this share of the calls of some working days before it.

    Args:
        share: from 0 to below 1; a greater share is a later moment.
        days: how many working days, the last ones that were over at midnight before `now`; of a week of five at most.
        now: seconds since the epoch.
    """
    number, of_the_day = divmod(share * days, 1)
    midnight = _working_days(days, datetime.fromtimestamp(now, UTC))[min(int(number), days - 1)]
    return midnight.timestamp() + 3600 * (_FIRST_HOUR + _hours(of_the_day))


def _working_days(count: int, now: datetime) -> list[datetime]:
    """The midnights at which the last working days before today began, the oldest first."""
    today = now.replace(hour=0, minute=0, second=0, microsecond=0)
    before = [today - timedelta(days=number) for number in range(1, 8)]
    return [day for day in before if day.weekday() <= _FRIDAY][:count][::-1]


def _hours(share: float) -> float:
    """Hours since the first one until that share of a day's calls has ended."""
    calls = share * _UNTIL[-1]
    hour = min(bisect_right(_UNTIL, calls), len(_CALLS)) - 1
    return hour + (calls - _UNTIL[hour]) / _CALLS[hour]
