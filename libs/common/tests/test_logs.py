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
