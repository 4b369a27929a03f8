"""Working hours: when the calls of several days end."""

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st
from ringback_graph_simulator.hours import working_moment

MONDAY = datetime(2026, 11, 30, 4, 0, tzinfo=UTC).timestamp()
LONGEST_WEEK_S = 7 * 86_400


def _at(share: float, days: int = 5, now: float = MONDAY) -> datetime:
    return datetime.fromtimestamp(working_moment(share, days, now), UTC)


def test_five_days_before_a_monday_are_the_week_before() -> None:
    """The first call is of Monday morning, the last of Friday evening; each day has a fifth of them."""
    assert [_at(share).strftime("%a %d") for share in (0.0, 0.2, 0.4, 0.6, 0.8)] == [
        *("Mon 23", "Tue 24", "Wed 25", "Thu 26", "Fri 27"),
    ]
    assert _at(0.9999).strftime("%a %d %H") == "Fri 27 18"
    assert _at(0.0).hour == 7


def test_the_busiest_hour_is_at_ten_and_noon_is_quiet() -> None:
    """Hours that differ are what a report by hours shows."""
    hours = [_at(number / 10_000).hour for number in range(10_000)]
    assert max(set(hours), key=hours.count) == 10
    assert hours.count(12) < hours.count(11) / 1.5
    assert hours.count(12) < hours.count(14) / 1.5


@given(st.floats(0, 1, exclude_max=True), st.integers(1, 5), st.floats(MONDAY, MONDAY + LONGEST_WEEK_S))
def test_never_at_a_weekend_never_today_and_never_before_the_week(share: float, days: int, now: float) -> None:
    """Whenever it is asked for, Graph has had the call for a day at most seven days."""
    moment = _at(share, days, now)
    assert moment.weekday() < 5
    assert moment.date() < datetime.fromtimestamp(now, UTC).date()
    assert now - moment.timestamp() < LONGEST_WEEK_S + 86_400


@given(st.floats(0, 1, exclude_max=True), st.floats(0, 1, exclude_max=True))
def test_a_later_share_is_a_later_moment(one: float, other: float) -> None:
    """Calls are announced in the order in which they ended."""
    first, second = sorted((one, other))
    assert _at(first) <= _at(second)
