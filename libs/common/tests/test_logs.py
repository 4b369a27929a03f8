"""Logs: one JSON object a line, and nothing about people."""

import json
import logging
from collections.abc import Callable
from enum import IntEnum
from typing import Self

import pytest
from aiokafka.errors import KafkaError, NotLeaderForPartitionError
from aiokafka.structs import TopicPartition
from hypothesis import given
from hypothesis import strategies as st
from ringback_common import log_values, logs
from ringback_common.metrics import LOG_FIELDS_WITHHELD
from ringback_testing.counters import value_of


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


class Level(IntEnum):
    """Numbers with names, which are code."""

    HIGH = 3


class Number(int):
    """A number that writes itself as it likes."""

    def __new__(cls, text: str) -> Self:
        """Any number will do."""
        made = super().__new__(cls, 1)
        made.text = text
        return made

    text: str

    def __str__(self) -> str:
        return self.text

    __repr__ = __str__


TOPIC = "dev-callrecords.internal.fetch.v1"
GUID = "dc368399-474c-4d40-900c-6265431fd81f"


@pytest.mark.parametrize(
    ("template", "arguments", "message"),
    [
        (  # aiokafka's sender
            "Got error produce response on topic-partition %s, retrying. Error: %s",
            (TopicPartition(TOPIC, 3), NotLeaderForPartitionError("Abbie Wilkins")),
            f"Got error produce response on topic-partition {TOPIC}, 3, retrying. Error: NotLeaderForPartitionError",
        ),
        (
            "Unable connect to node with id %s: %s",
            (2, ConnectionRefusedError(111, "Connect call failed ('10.1.2.3', 9092)")),
            "Unable connect to node with id 2: ConnectionRefusedError (ECONNREFUSED)",
        ),
        ('Unable connect to "%s:%s": %s', ("kafka-0.example", 9092, TimeoutError("x")),
         'Unable connect to "kafka-0.example:9092": TimeoutError'),
        ("Error sending %s to node %s [%s]", ("JoinGroupRequest_v5", 1, KafkaError()),
         "Error sending JoinGroupRequest_v5 to node 1 [KafkaError]"),
        ("Heartbeat failed for group %s because it is rebalancing", ("ringback-enricher",),
         "Heartbeat failed for group ringback-enricher because it is rebalancing"),
        ("Error fetching metadata for topic %s: %s", (TOPIC, NotLeaderForPartitionError),
         f"Error fetching metadata for topic {TOPIC}: NotLeaderForPartitionError"),
        ("OffsetCommit failed for unauthorized topics %r", ({TOPIC},),
         f"OffsetCommit failed for unauthorized topics {TOPIC}"),
        ("took %.2f s, %d left, %(x)s", None, "took (withheld) s, (withheld) left, (withheld)"),
        ("error in consumer iterator: %s", (), "error in consumer iterator: (withheld)"),
        ("%d records", ("Abbie",), "(withheld) records"),
        ("offset %d", (999_999_999,), "offset 999999999"),
        ("about %s", (49_301_234_567,), "about (withheld)"),
        ("about %s", (-4_930_123_456.0,), "about (withheld)"),
        ("about %s", (Level.HIGH,), "about HIGH"),
        ("topic %s", ("Abbie.Wilkins-callrecords.internal.fetch.v1",), "topic (withheld)"),
        ("%(call)s of %(person)s", ({"call": GUID, "person": "Abbie"},), f"{GUID} of (withheld)"),
    ],
)  # fmt: skip
def test_a_library_s_line_says_what_it_is_about(
    template: str, arguments: tuple[object, ...] | None, message: str
) -> None:
    """Topic, partition, node, group and the class of an error are there; what they quote is not."""
    log_values.allow(["kafka-0.example"])
    log_values.prefixed("dev-")
    made = record("aiokafka", template, *(arguments or ()))
    assert json.loads(logs.JsonFormatter("test").format(made))["message"] == message


PEOPLE = (
    "abbie.wilkins@contoso.com", "Abbie Wilkins", "abbie", "+49301234567", "10.150.0.2", "Bearer eyJhbGciOi.e.x",
    "postgres://u:hush@h/d", "2001:db8::7", "hush", "Abbie's AirPods", "Zo\u00eb", "AbbieError\nx", "8:orgid:abc",
)  # fmt: skip


WRAPPED: list[Callable[[str], object]] = [
    lambda x: OSError(2, x), lambda x: (x, 1), lambda x: [x], lambda x: {x}, Number,
    lambda x: {"k": x}, lambda x: {x: 1}, lambda x: (("deep", x),), lambda x: Holder(x),  # noqa: PLW0108 - the class is below
]  # fmt: skip


@pytest.mark.parametrize("canary", PEOPLE)
@pytest.mark.parametrize(
    "wrapped",
    [str, str.encode, ValueError, *WRAPPED],
)  # fmt: skip
def test_no_person_and_no_secret_comes_in_by_an_argument(canary: str, wrapped: Callable[[str], object]) -> None:
    """Plain, as bytes, in an error, in whatever holds it, by %s, %r and by name."""
    value = wrapped(canary)
    for made in (
        record("aiokafka", "about %s and %r", value, value),
        record("aiokafka", "about %(it)s", {"it": value}),
        record("aiokafka", "about %d", value),
        record("aiokafka", "about %s", value),
        record("aiokafka", "all of %s, and %(it)s", {"it": 1, canary: value}),
        record("aiokafka", "%d for %s", float("inf"), value),
        record("aiokafka", "%c for %s", 2**40, value),
        *([] if isinstance(value, str) else [record("aiokafka", value)]),
    ):
        assert canary not in json.loads(logs.JsonFormatter("test").format(made))["message"]


def test_a_line_that_cannot_be_written_prints_nothing_of_it(capfd: pytest.CaptureFixture[str]) -> None:
    """Python's own way is to print the template with all raw arguments to standard error."""
    logs.configure("test")
    logging.getLogger("aiokafka").warning("wait %d for %s", float("inf"), "Abbie")
    logging.getLogger("ringback_common.x").warning("A sentence.", extra={"ringback_fields": {(1, "Abbie"): 1}})
    wrote = capfd.readouterr()
    assert "Abbie" not in wrote.out + wrote.err
    assert wrote.err == ""
    lines = [json.loads(line) for line in wrote.out.splitlines()]
    assert [line["message"] for line in lines] == [
        "wait (withheld) for (withheld)", "A log line could not be written.",
    ]  # fmt: skip
    assert lines[1]["error_class"] == "TypeError"


def test_a_list_that_holds_itself_ends() -> None:
    """A library hands over whatever it has; of what is deep inside only the class is written."""
    loop: list[object] = [1]
    loop.append(loop)
    assert log_values.filled("%s", (loop,)) == "1, list"


@given(st.text(min_size=1, max_size=40).filter(lambda text: not log_values._SHAPES.fullmatch(text)))
def test_a_text_of_no_known_shape_is_withheld(text: str) -> None:
    """Whatever it is: the list says what may pass, not what may not."""
    assert log_values.filled("%s", (text,)) == log_values.WITHHELD


def test_a_library_s_error_is_no_error_of_ours() -> None:
    """ERROR means that an operator must act, which a library cannot know."""
    made = logging.LogRecord("aiokafka", logging.ERROR, "f.py", 1, "Unable to update metadata from %s", ([1, 2],), None)
    line = json.loads(logs.JsonFormatter("test").format(made))
    assert (line["level"], line["message"]) == ("WARNING", "Unable to update metadata from 1, 2")


class Holder:
    """An object whose text quotes data."""

    def __init__(self, text: str) -> None:
        self._text = text

    def __repr__(self) -> str:
        return self._text


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
    assert len(once._written) <= 500


def test_only_allowed_fields_are_written(capsys: pytest.CaptureFixture[str]) -> None:
    """A field the allow-list does not know is withheld and counted."""
    logs.configure("test")
    before = value_of(LOG_FIELDS_WITHHELD)
    logs.logger("ringback_common.test").info("Something happened.", tenant_id="t", display_name="Abbie Wilkins")
    line = json.loads(capsys.readouterr().out)
    assert line["tenant_id"] == "t"
    assert "Abbie" not in json.dumps(line)
    assert value_of(LOG_FIELDS_WITHHELD) == before + 1


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
