"""What a person reads fits 80 columns and steers no terminal; what a program reads has numbers and times."""

import json
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from rich.console import Console
from ringback_cli import output
from ringback_cli.output import days, number, show, tenant_id, window
from ringback_common.errors import ConfigError

TENANT = "a91fa0d8-7d84-5317-a65a-8dda375cc0cd"
STATUS = ("process", "tenant_id", "state", "age_seconds", "detail")
ROWS: list[tuple[Any, ...]] = [
    ("fetch/ringback-enricher", None, "ok", 3.783411, {"group": "ringback-enricher", "in_hand": 0, "reason": None}),
    ("keeper/subscriptions", TENANT, "failing", 12.5, {"subscription": "missing", "reason": "x" * 200}),
]


@pytest.fixture
def narrow(monkeypatch: pytest.MonkeyPatch) -> None:
    """A terminal of 80 columns."""
    monkeypatch.setattr(output, "_out", Console(width=80))


@pytest.mark.parametrize(
    ("value", "shown"), [("[/red] [bold]", "[/red] [bold]"), ("\x1b[31m\x07\x9b", "\\x1b[31m\\x07\\x9b"), (None, "")]
)
def test_a_value_is_neither_markup_nor_a_terminal_command(
    capsys: pytest.CaptureFixture[str], value: str | None, shown: str
) -> None:
    """A display name is chosen by a stranger: it must not break the table or steer the operator's terminal."""
    show("People", ("name",), [(value,)], as_json=False)
    written = capsys.readouterr().out
    assert shown in written
    assert "\x1b" not in written


@pytest.mark.usefixtures("narrow")
def test_a_wide_table_is_readable_at_80_columns(capsys: pytest.CaptureFixture[str]) -> None:
    """Each record as lines of name and value, each value whole or folded behind its name; what is empty is left out."""
    show("Processes", STATUS, ROWS, as_json=False)
    written = capsys.readouterr().out
    lines = written.splitlines()
    assert max(map(len, lines)) <= 80
    assert [line.split() for line in lines if "process" in line] == [
        ["process", "fetch/ringback-enricher"],
        ["process", "keeper/subscriptions"],
    ]
    assert sum("tenant_id" in line for line in lines) == 1
    assert TENANT in written
    assert "group ringback-enricher, in_hand 0" in written
    assert "{" not in written
    assert written.count("x") >= 200


@pytest.mark.usefixtures("narrow")
def test_a_narrow_table_stays_one(capsys: pytest.CaptureFixture[str]) -> None:
    """What fits is easier to compare line by line."""
    show("Halted", ("process", "reason"), [("fetch", "dead_letter_limit"), ("store", "x")], as_json=False)
    written = capsys.readouterr().out
    assert "│ fetch   │ dead_letter_limit │" in written
    assert max(map(len, written.splitlines())) <= 80


@pytest.mark.usefixtures("narrow")
def test_a_table_that_just_does_not_fit_is_folded_at_its_heads(capsys: pytest.CaptureFixture[str]) -> None:
    """The sessions of a call: a line each, so that they can be compared."""
    columns = (
        "ordinal", "start_date_time", "duration_ms", "verdict", "caller_platform", "callee_platform", "failure_stage",
    )  # fmt: skip
    began = datetime(2026, 11, 22, 17, 16, 25, tzinfo=UTC)
    show(
        "Sessions",
        columns,
        [(at, began, 961_948, "poor", "windows", "android", "midcall") for at in range(9)],
        as_json=False,
    )
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 80
    values = ["2026-11-22", "17:16:25", "961948", "poor", "windows", "android", "midcall"]
    assert [line.split() for line in lines[-9:]] == [[str(at), *values] for at in range(9)]
    assert "platform" in lines[2]


def test_json_has_numbers_as_numbers_times_in_rfc_3339_and_no_json_in_strings(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A program compares and adds without parsing texts."""
    moment = datetime(2026, 11, 22, 17, 16, 25, 1, UTC)
    row = (Decimal(7), Decimal("1.5"), moment, date(2026, 11, 22), {"in_hand": 0, "reason": None}, ["a"], None)
    show("X", ("count", "share", "at", "day", "detail", "list", "none"), [row], as_json=True)
    (reported,) = json.loads(capsys.readouterr().out)
    assert reported == {
        "count": 7,
        "share": 1.5,
        "at": "2026-11-22T17:16:25.000001Z",
        "day": "2026-11-22",
        "detail": {"in_hand": 0, "reason": None},
        "list": ["a"],
        "none": None,
    }
    assert isinstance(reported["count"], int)


@pytest.mark.parametrize(("text", "reported"), [("604800000", 604_800_000), ("-1", -1), ("delete", "delete"), ("", "")])
def test_a_number_that_kafka_writes_as_text_is_one(text: str, reported: int | str) -> None:
    """Settings of topics come as text."""
    assert number(text) == reported


@pytest.mark.parametrize(
    ("since", "until", "sentence"),
    [
        ("2026-11-22", "2026-11-21", "--to must be later than --from"),
        ("2026-11-22", "2026-11-22", "--to must be later than --from"),
        ("2026-11-22T10:00+02:00", "2026-11-22T08:00Z", "--to must be later than --from"),
        ("yesterday", None, "--from takes a time like"),
        (None, "22.11.2026", "--to takes a time like"),
    ],
)
def test_a_wrong_window_is_a_mistake(since: str | None, until: str | None, sentence: str) -> None:
    """Nothing lies in it, so nothing would be done in silence."""
    with pytest.raises(ConfigError, match=sentence):
        window(since, until)


def test_a_window_may_be_open_and_is_utc() -> None:
    """Without an offset a time is UTC."""
    assert window("2026-11-21", None) == (datetime(2026, 11, 21, tzinfo=UTC), None)
    assert window(None, None) == (None, None)


@pytest.mark.parametrize("text", ["2026-11-21T10:00", "2026-11-21T00:00+05:00"])
def test_a_day_is_whole_and_utc(text: str) -> None:
    """A digest of half a day would be taken for one of the whole."""
    with pytest.raises(ConfigError, match="--from takes a whole day"):
        days(text, None)
    assert days("2026-11-21", "2026-11-22") == (
        datetime(2026, 11, 21, tzinfo=UTC),
        datetime(2026, 11, 22, tzinfo=UTC),
    )


def test_a_tenant_is_named_by_its_id() -> None:
    """A domain is no tenant id, and would match nothing."""
    assert tenant_id(TENANT.upper()) == TENANT
    assert tenant_id(None) is None
    with pytest.raises(ConfigError, match="--tenant takes the id of a tenant"):
        tenant_id("contoso.onmicrosoft.com")


def test_json_has_null_for_what_is_no_number(capsys: pytest.CaptureFixture[str]) -> None:
    """JSON knows neither NaN nor infinity; PostgreSQL has both, as floats and as numerics."""
    inf = float("inf")
    row = (float("nan"), -inf, Decimal("Infinity"), Decimal("NaN"), {"deep": [inf, (1.5, float("nan"))]})
    show("X", ("a", "b", "c", "d", "e"), [row], as_json=True)
    (reported,) = json.loads(capsys.readouterr().out, parse_constant=pytest.fail)
    assert reported == {"a": None, "b": None, "c": None, "d": None, "e": {"deep": [None, [1.5, None]]}}
