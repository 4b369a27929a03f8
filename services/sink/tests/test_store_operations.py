from datetime import UTC, datetime

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from ringback_common.outcomes import Reason, Received, Reject
from ringback_sink.store.core.operations import head_of, report_of
from ringback_sink.store.model.flat import collapsed
from ringback_sink.store.model.operations import Report
from ringback_stream.consume.dead_letters import dead_letter
from ringback_testing.call_records import TENANT, call_record, received


def message(value: bytes | None, topic: str = "callrecords.internal.status.v1") -> Received:
    """A message with this value."""
    return Received(topic, 0, 7, 1_763_286_060_000, b"store|", value)


def test_the_head_of_a_dead_letter_tells_where_it_came_from() -> None:
    """What the runtime writes into the headers is what the table says; the payload is only measured."""
    refused = received(call_record("c"), 41)
    letter = dead_letter(refused, Reject(Reason.STORE_REFUSED, "SQLSTATE 22008"), "store", 3)
    head = head_of(Received(letter.topic, 2, 9, 1_763_286_061_000, letter.key, letter.value, letter.headers))
    assert (head.topic, head.partition, head.offset) == ("callrecords.restricted.dead-letters.v1", 2, 9)
    assert (head.source_topic, head.source_partition, head.source_offset) == (refused.topic, 0, 41)
    assert head.source_timestamp == datetime(2025, 11, 16, 9, 41, tzinfo=UTC)
    assert (head.service, head.reason, head.error_class, head.attempts) == (
        "store",
        "store_refused",
        "SQLSTATE 22008",
        3,
    )
    assert (head.tenant_id, head.call_id, head.octets) == (TENANT, "c", len(refused.value or b""))
    assert head.fingerprint


NAMES = st.sampled_from(["topic", "partition", "offset", "timestamp", "attempts", "reason"]).map(
    "ringback_dlq_".__add__
)
HEADERS = st.lists(st.tuples(NAMES, st.none() | st.binary(max_size=600)))


@given(HEADERS, st.none() | st.binary(max_size=600), st.integers(-1, 2**63 - 1))
def test_a_head_is_made_of_anything(headers: list[tuple[str, bytes | None]], key: bytes | None, at: int) -> None:
    """Whatever lies in a dead-letter topic has a head the store takes: short text without U+0000, numbers in range."""
    head = head_of(Received("callrecords.internal.dead-letters.v1", 0, 0, at, key, b"x", tuple(headers)))
    texts = [value for value in head.values() if isinstance(value, str)]
    assert all(len(text) <= 256 and "\0" not in text for text in texts)
    assert all(number is None or number < 2**31 for number in (head.source_partition, head.attempts))


def report(process: str = "store", at: str = "2026-11-16T09:00:00Z", **facts: object) -> bytes:
    """A status report on the wire."""
    told = {"process": process, "instance": "i1", "reportedAt": at, "state": "ok", "detail": {"age_s": 1.5}}
    return orjson.dumps(told | facts)


def test_a_report_is_read() -> None:
    """A report becomes a row with its detail as it came; the process itself has an empty tenant."""
    read = report_of(message(report()))
    assert isinstance(read, Report)
    assert read.values() == ("store", "i1", "", datetime(2026, 11, 16, 9, tzinfo=UTC), "ok", '{"age_s":1.5}')


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (None, Reason.UNDECODABLE),
        (b"{", Reason.UNDECODABLE),
        (report().replace(b"store", b"st\xffre"), Reason.UNDECODABLE),
        (report(detail="st*re").replace(b"*", b"\xff"), Reason.UNDECODABLE),
        (b"{}", Reason.SCHEMA_INVALID),
        (report(at="yesterday"), Reason.SCHEMA_INVALID),
        (report(at="2026-11-16T09:00:00"), Reason.SCHEMA_INVALID),
    ],
)
def test_what_is_no_report_is_rejected(value: bytes | None, reason: Reason) -> None:
    """A report that cannot be read has a reason."""
    read = report_of(message(value))
    assert isinstance(read, Reject)
    assert read.reason is reason


def test_only_the_newest_report_of_an_instance_is_written() -> None:
    """Repeats within a batch collapse to the newest, whatever their order."""
    values = [
        report(at="2026-11-16T09:00:10Z"),
        report(at="2026-11-16T09:00:20Z"),
        report(at="2026-11-16T09:00:00Z"),
        report("keeper"),
    ]
    reports = [read for read in map(report_of, map(message, values)) if isinstance(read, Report)]
    assert [(one.process, one.reported_at.second) for one in collapsed(reports)] == [("keeper", 0), ("store", 20)]
