"""Logs: one JSON object a line, and nothing about people."""

import json
import logging

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ringback_common import logs
from ringback_common.metrics import LOG_FIELDS_WITHHELD


def record(name: str, message: object, *args: object, **extra: object) -> logging.LogRecord:
    """A record as a library would make it."""
    made = logging.LogRecord(name, logging.WARNING, "file.py", 1, message, args, None)
    made.__dict__.update(extra)
    return made


@given(st.text())
def test_every_line_is_one_json_object_whatever_the_message(message: str) -> None:
    """Line breaks, escapes and quotes cannot break out of a line."""
    line = logs.JsonFormatter("test").format(record("aiokafka", message))
    assert "\n" not in line
    assert "\x1b" not in line
    assert json.loads(line)["level"] == "WARNING"


def test_foreign_arguments_are_never_filled_in() -> None:
    """A library's template is kept, the data it would quote is not."""
    line = logs.JsonFormatter("test").format(record("aiokafka", "cannot decode %s", "abbie.wilkins@contoso.com"))
    assert json.loads(line)["message"] == "cannot decode %s"


@pytest.mark.parametrize(
    "canary",
    ["abbie.wilkins@contoso.com", "+49301234567", "10.150.0.2", "eyJhbGciOi.eyJzdWIi.c2ln", "00-1B-44-11-3A-B7",
     "2001:db8:0:1:1:1:1:1", "teamsvisitor:0011aabb"],
)  # fmt: skip
def test_a_foreign_message_is_scrubbed(canary: str) -> None:
    """What a library formats itself passes the second net."""
    line = logs.JsonFormatter("test").format(record("faststream", f"failed on {canary} here"))
    assert canary not in line
    assert "failed on (withheld) here" in line


def test_what_a_library_repeats_is_heard_once_in_ten_seconds_and_counted() -> None:
    """The first of a kind is written at once, the next after ten seconds says for how many it stands."""
    once = logs.OnceAWhile()
    looked_at = [record("aiokafka", "cannot connect to %s", at, created=at) for at in (100.0, 101.0, 109.9, 110.0)]
    assert [once.filter(each) for each in looked_at] == [True, False, False, True]
    lines = [json.loads(logs.JsonFormatter("test").format(looked_at[at])) for at in (0, 3)]
    assert [line.get("count") for line in lines] == [None, 3]


def test_no_other_sentence_is_held_back_for_one_that_is_repeated() -> None:
    """Another library, another sentence and our own lines pass."""
    once = logs.OnceAWhile()
    said = [record("aiokafka", "a"), record("aiokafka", "b"), record("asyncio", "a")]
    ours = [record("ringback_stream", "a", ringback_fields={}) for _ in range(2)]
    assert all(once.filter(each) for each in (*said, *ours))


def test_a_clock_set_back_silences_nobody() -> None:
    """A sentence from before the last one of its kind is written."""
    once = logs.OnceAWhile()
    assert [once.filter(record("aiokafka", "a", created=at)) for at in (100.0, 50.0)] == [True, True]


def test_sentences_that_never_repeat_do_not_pile_up() -> None:
    """A library that fills its own templates takes bounded memory."""
    once = logs.OnceAWhile()
    for at in range(2000):
        once.filter(record("asyncio", f"task {at}"))
    assert len(once._said) <= 500


def test_only_allowed_fields_are_written(capsys: pytest.CaptureFixture[str]) -> None:
    """A field the allow-list does not know is withheld and counted."""
    logs.configure("test")
    before = LOG_FIELDS_WITHHELD._value.get()
    logs.logger("ringback_common.test").info("Something happened.", tenant_id="t", display_name="Abbie Wilkins")
    line = json.loads(capsys.readouterr().out)
    assert line["tenant_id"] == "t"
    assert "Abbie" not in json.dumps(line)
    assert LOG_FIELDS_WITHHELD._value.get() == before + 1


def test_a_failure_shows_class_and_place_but_not_its_message(capsys: pytest.CaptureFixture[str]) -> None:
    """An exception's message may quote data; its class and frames may not."""
    logs.configure("test")
    try:
        raise ValueError("abbie.wilkins@contoso.com is not a number")
    except ValueError as failure:
        logs.logger("ringback_common.test").error("It failed.", failure=failure)
    line = json.loads(capsys.readouterr().out)
    assert line["error_class"] == "ValueError"
    assert "test_logs.py" in line["at"][-1]
    assert "abbie" not in json.dumps(line)
