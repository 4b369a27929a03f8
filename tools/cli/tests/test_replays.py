"""Which calls a file names, where an interrupted run goes on, and what Graph is asked with."""

from datetime import UTC, datetime
from pathlib import Path

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from ringback_cli.core.replays import UnreadableLineError, digest_of, read_calls, remaining, request_of
from ringback_cli.cursor import Cursor, Position
from ringback_cli.replay import replay
from ringback_common.errors import ConfigError
from ringback_events.headers import read_headers
from ringback_events.topics import FETCH_BULK

TENANT = "dc368399-474c-4d40-900c-6265431fd81f"
NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


def test_a_file_names_each_call_once_in_order() -> None:
    """Comments, blanks, spaces and capitals of a GUID make no difference; a later bar belongs to the call."""
    lines = ["# why", "", f"{TENANT.upper()} | b", f"{TENANT}|a|x", f"  {TENANT}|b  "]
    assert read_calls(lines) == [f"{TENANT}|a|x", f"{TENANT}|b"]
    assert read_calls(["b", f"{TENANT}|a"], TENANT.upper()) == [f"{TENANT}|a", f"{TENANT}|b"]


@pytest.mark.parametrize(
    ("lines", "tenant", "number"), [(["t|a", "b"], None, 2), (["|a"], None, 1), (["t|"], None, 1), (["u|a"], "t", 1)]
)
def test_a_line_that_names_no_call_is_told(lines: list[str], tenant: str | None, number: int) -> None:
    """By its number: the call of another tenant than the one asked for is a mistake, too."""
    with pytest.raises(UnreadableLineError) as caught:
        read_calls(lines, tenant)
    assert caught.value.line == number


@given(st.sets(st.text(min_size=1)), st.integers(0, 100))
def test_what_remains_and_what_was_done_are_everything(keys: set[str], done: int) -> None:
    """Wherever a run ends, going on leaves nothing out and repeats nothing."""
    ordered = sorted(keys)
    first = ordered[:done]
    assert first + list(remaining(ordered, first[-1] if first else None)) == ordered


def test_a_request_asks_in_bulk_and_says_who_asks() -> None:
    """Source replay, received now, under the call's key, with the id of its run."""
    message = request_of(f"{TENANT}|a|x", "run", NOW)
    assert (message.topic, message.key) == (FETCH_BULK.name, f"{TENANT}|a|x".encode())
    asked = orjson.loads(message.value or b"")
    assert (asked["tenantId"], asked["callId"], asked["source"]) == (TENANT, "a|x", "replay")
    assert read_headers(message.headers).replay
    assert dict(message.headers)["ringback_run"] == b"run"


def test_a_selection_is_told_from_another() -> None:
    """The name of the cursor: the order of the parts counts, and where one ends."""
    assert digest_of(["a", "b"]) == digest_of(["a", "b"])
    assert len({digest_of(parts) for parts in (["a", "b"], ["b", "a"], ["ab"], [])}) == 4


def test_a_cursor_is_there_until_the_run_is_done(tmp_path: Path) -> None:
    """Written, read back, gone; what is no cursor is not taken for the beginning."""
    cursor = Cursor(tmp_path / "state" / "replay.json")
    assert cursor.read() is None
    cursor.write(Position("run", "t|a", 7))
    assert cursor.read() == Position("run", "t|a", 7)
    cursor.finish()
    assert cursor.read() is None
    cursor.path.write_bytes(b"[1]")
    with pytest.raises(ConfigError, match="is no cursor"):
        cursor.read()


def test_a_run_that_was_killed_behind_its_last_call_does_not_stop_the_next_one(tmp_path: Path) -> None:
    """Its cursor says that nothing is left: that is said once, and then the same replay begins anew."""
    calls, noted = tmp_path / "calls", Cursor(tmp_path / "cursor.json")
    calls.write_text(f"{TENANT}|a\n{TENANT}|b\n")
    noted.write(Position("run", f"{TENANT}|b", 2))
    replay(calls=str(calls), cursor=noted.path)
    assert noted.read() is not None
    replay(calls=str(calls), cursor=noted.path, why="OPS-1", yes=True)
    assert noted.read() is None
