"""Times, durations and numbers."""

import math
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ringback_graph.parse import duration_ms, epoch_micros, integer, number, text, timestamp, wire_timestamp

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.from_regex(r"\d{4}-\d\d-\d\dT.{0,20}"),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("2020-02-25T18:52:21.2169889Z", "2020-02-25T18:52:21.216988Z"),
        ("2020-02-25T18:52:46.8019999Z", "2020-02-25T18:52:46.801999Z"),
        ("2023-09-25T10:36:40Z", "2023-09-25T10:36:40Z"),
        ("2023-09-25T10:36:40.5Z", "2023-09-25T10:36:40.500000Z"),
        ("2023-09-25T10:36:40.000+00:00", "2023-09-25T10:36:40Z"),
        ("2023-09-25T01:36:40.1234567+02:00", "2023-09-24T23:36:40.123456Z"),
        ("2023-09-25t10:36:40z", "2023-09-25T10:36:40Z"),
        ("1969-12-31T23:59:59.9999999Z", "1969-12-31T23:59:59.999999Z"),
        ("9999-12-31T23:59:59.9999999Z", "9999-12-31T23:59:59.999999Z"),
    ],
)
def test_a_time_reaches_the_wire_in_utc_and_cut_after_microseconds(written: str, expected: str) -> None:
    """Every spelling Graph uses becomes the one spelling of the wire."""
    assert timestamp(written) == expected
    micros = epoch_micros(written)
    assert micros is not None
    assert wire_timestamp(micros) == expected


@pytest.mark.parametrize(
    "written",
    [
        "0001-01-01T00:00:00Z",
        "0001-01-01T00:00:00-08:00",
        "9999-12-31T23:59:59-14:00",
        "2023-09-25T10:36:40",
        "2023-09-25",
        "2023-02-30T10:36:40Z",
        "2023-09-25T25:36:40Z",
        "2023-09-25T10:36:40.Z",
        "2023-09-25T10:36:40+99:99",
        "20230925T103640Z",
        "2023-W39-1T10:36:40Z",
        " 2023-09-25T10:36:40Z",
        "٢٠٢٣-09-25T10:36:40Z",
        "",
        None,
        1_695_638_200,
        ["2023-09-25T10:36:40Z"],
    ],
)
def test_what_is_no_time_reads_as_none(written: object) -> None:
    """Year 1, a missing offset and garbage are "no time", never an exception."""
    assert epoch_micros(written) is None
    assert timestamp(written) is None


@given(
    st.datetimes(min_value=datetime(2, 1, 3), max_value=datetime(9999, 12, 29)),  # noqa: DTZ001 - the zone comes next
    st.integers(-14 * 60, 14 * 60),
    st.integers(0, 9),
)
def test_any_time_survives_the_round_trip(naive: datetime, offset: int, beyond: int) -> None:
    """Epoch microseconds and wire text agree with the standard library for every zone, and a seventh digit is cut."""
    moment = naive.replace(tzinfo=timezone(timedelta(minutes=offset)))
    written = f"{naive.isoformat(timespec='microseconds')}{beyond}{moment.isoformat()[-6:]}"
    micros = epoch_micros(written)
    assert micros is not None
    assert micros == (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
    assert timestamp(timestamp(written)) == timestamp(written) == wire_timestamp(micros)


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("PT0.016S", 16.0),
        ("PT0S", 0.0),
        ("PT0.0166667S", 16.6667),
        ("-PT1.5S", -1500.0),
        ("P1DT2H3M4.5S", 93_784_500.0),
        ("PT1M", 60_000.0),
        ("P2D", 172_800_000.0),
        ("PT1.S", 1000.0),
    ],
)
def test_a_duration_becomes_milliseconds(written: str, expected: float) -> None:
    """ISO 8601 durations of days to seconds are read exactly."""
    assert duration_ms(written) == expected


@pytest.mark.parametrize(
    "written", ["P", "PT", "P1Y", "P1M", "PT1", "PT1H1H", "1S", "PTS", "", None, 16, "PT1S ", "P1DT"]
)
def test_what_is_no_duration_reads_as_none(written: object) -> None:
    """Years, months, empty parts and foreign types are "no duration"."""
    assert duration_ms(written) is None


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        (0.5, 0.5),
        (3, 3.0),
        ("0.25", 0.25),
        ("NaN", None),
        ("INF", None),
        ("-INF", None),
        (True, None),
        (None, None),
        (math.nan, None),
        (math.inf, None),
        (10**400, None),
        ("1_0", None),
        ("x", None),
        ("9" * 5000, None),
        ({}, None),
    ],
)
def test_a_single_is_a_finite_number_or_none(written: object, expected: float | None) -> None:
    """OData's texts for "not a number" are no numbers, booleans are none either."""
    assert number(written) == expected


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        (5, 5),
        ("5", 5),
        ("-7", -7),
        (5.0, 5),
        (5.5, None),
        (True, None),
        ("5.0", None),
        ("٣", None),
        (2**63, None),
        (-(2**63), -(2**63)),
        ("9" * 30, None),
        ("9" * 9000, None),
        ("", None),
        ("--1", None),
        (math.inf, None),
        ([], None),
    ],
)
def test_an_integer_fits_64_bits_or_is_none(written: object, expected: int | None) -> None:
    """Int64 may come as text; what cannot be one is None."""
    assert integer(written) == expected


def test_text_is_a_string_or_none() -> None:
    """A string stays as it is, everything else is None."""
    assert [text("a"), text(""), text(1), text(None)] == ["a", "", None, None]


@given(JSON)
def test_every_scalar_parser_is_total(value: object) -> None:
    """No JSON value makes a parser raise."""
    assert isinstance(epoch_micros(value), int | None)
    assert isinstance(timestamp(value), str | None)
    assert isinstance(duration_ms(value), float | None)
    assert isinstance(number(value), float | None)
    assert isinstance(integer(value), int | None)
