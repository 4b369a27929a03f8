"""What the store reads off the audit trail."""

from datetime import UTC, datetime
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from ringback_common.outcomes import Reason, Received, Reject
from ringback_events.topics import AUDIT, INTERNAL_DEAD_LETTERS
from ringback_sink.store.core.decisions import decisions_of
from ringback_sink.store.model.flat import collapsed
from ringback_sink.store.model.operations import Decision

LETTERS = INTERNAL_DEAD_LETTERS.name
NOON_MS = 1_763_294_400_000


def entry(at_ms: int = NOON_MS, **facts: Any) -> Received:
    """An audit entry as it comes from Kafka."""
    value = {"actor": "operator:jo", "action": "dead_letter.discard", "targets": [f"{LETTERS}/0/7", f"{LETTERS}/2/9"]}
    rest = {"tenantId": None, "reason": "OPS-7", "at": "2025-11-16T12:00:00Z", "outcome": "done"}
    return Received(AUDIT.name, 0, 0, at_ms, b"operator:jo", orjson.dumps(value | rest | facts))


def test_an_entry_decides_about_each_of_its_letters() -> None:
    """Who, what, why, and when by the broker's clock."""
    noon = datetime(2025, 11, 16, 12, tzinfo=UTC)
    assert decisions_of(entry()) == [
        Decision(LETTERS, 0, 7, "discard", "operator:jo", "OPS-7", noon),
        Decision(LETTERS, 2, 9, "discard", "operator:jo", "OPS-7", noon),
    ]


@pytest.mark.parametrize(
    "facts",
    [
        {"action": "subscription.renew", "targets": ["s"]},
        {"action": "call.replay"},
        {"outcome": "begun"},
        {"targets": ["callrecords.restricted.records.v1/0/7"]},
    ],
)
def test_an_entry_about_something_else_decides_nothing(facts: dict[str, Any]) -> None:
    """The keeper's deeds, an announcement, a place that is no dead letter: all legal, none a decision."""
    assert decisions_of(entry(**facts)) == []


@given(st.none() | st.binary(max_size=200))
def test_any_bytes_are_decided_or_refused(value: bytes | None) -> None:
    """Whatever lies on the topic, the store goes on."""
    read = decisions_of(Received(AUDIT.name, 0, 0, -1, None, value))
    assert isinstance(read, Reject)
    assert read.reason in {Reason.UNDECODABLE, Reason.SCHEMA_INVALID}


def test_an_entry_that_is_no_utf_8_is_refused() -> None:
    """Wrong octets within a text, too, where the JSON around it is whole."""
    broken = (entry().value or b"").replace(b"dead_letter", b"dead\xffletter")
    assert decisions_of(Received(AUDIT.name, 0, 0, -1, None, broken)) == Reject(
        Reason.UNDECODABLE, "UnicodeDecodeError"
    )


def test_the_newest_decision_about_a_letter_counts() -> None:
    """Discarded, then released after all: within one batch too, whatever their order."""
    released = decisions_of(entry(NOON_MS + 1, action="dead_letter.release", targets=[f"{LETTERS}/0/7"]))
    discarded = decisions_of(entry())
    assert not isinstance(released, Reject)
    assert not isinstance(discarded, Reject)
    for order in (released + discarded, discarded + released):
        assert [(one.offset, one.decision) for one in collapsed(order)] == [(7, "release"), (9, "discard")]
