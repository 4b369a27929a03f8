"""Which dead letters are meant, what a release makes of one, and what a plan says."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ringback_cli.core.letters import Filter, header_value, letter_of, undecided
from ringback_cli.core.plans import Plan
from ringback_cli.core.releases import Unreleasable, release_of
from ringback_common.outcomes import Message, Reason, Received, Reject
from ringback_events.topics import FETCH, FETCH_BULK, FETCH_RETRY_2M, FETCH_RETRY_60M, RECORDS
from ringback_stream.consume.dead_letters import dead_letter

TENANT = "dc368399-474c-4d40-900c-6265431fd81f"
NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
VALUE = b'{"tenantId":"t","callId":"c","source":"webhook","receivedAt":"2026-11-12T12:00:00Z"}'


def letter(
    source: str = FETCH.name,
    value: bytes | None = VALUE,
    headers: tuple[tuple[str, bytes | None], ...] = (),
    at: datetime = NOW,
) -> Received:
    """A dead letter as it comes from Kafka."""
    refused = Received(source, 3, 41, 0, f"{TENANT}|c".encode(), value, headers)
    written = dead_letter(refused, Reject(Reason.NOT_FOUND), "fetch", 6)
    stamped = int(at.timestamp() * 1000)
    return Received(written.topic, 1, 7, stamped, written.key, written.value, written.headers)


HEAD = letter_of(letter())


@pytest.mark.parametrize(
    ("only", "admitted"),
    [
        (Filter(), True),
        (Filter(places=frozenset({HEAD.place})), True),
        (Filter(places=frozenset({HEAD.place._replace(offset=8)})), False),
        (Filter(reason="not_found", call="c", tenant=TENANT.upper()), True),
        (Filter(reason="not_found", call="d"), False),
        (Filter(reason="forbidden"), False),
        (Filter(fingerprint=HEAD.fingerprint), True),
        (Filter(fingerprint="0"), False),
        (Filter(source=FETCH.name), True),
        (Filter(source=FETCH_BULK.name), False),
        (Filter(tenant="t"), False),
        (Filter(since=NOW, until=NOW + timedelta(seconds=1)), True),
        (Filter(since=NOW + timedelta(milliseconds=1)), False),
        (Filter(until=NOW), False),
    ],
)
def test_everything_that_is_asked_for_must_hold(only: Filter, *, admitted: bool) -> None:
    """One word that does not fit leaves the letter alone."""
    assert only.admits(HEAD) is admitted


def test_a_decision_counts_only_if_it_came_after_the_letter() -> None:
    """A topic that was made anew has letters at places that were decided about long ago."""
    assert undecided(HEAD, {})
    assert not undecided(HEAD, {HEAD.place: NOW})
    assert undecided(HEAD, {HEAD.place: NOW - timedelta(milliseconds=1)})


SOURCES = st.sampled_from([FETCH.name.encode(), FETCH_RETRY_60M.name.encode(), RECORDS.name.encode()])
HEADERS = st.lists(
    st.tuples(st.sampled_from(["ringback_dlq_topic", "ringback_dlq_reason", "x"]), SOURCES | st.binary()), max_size=6
)


@given(HEADERS, st.none() | st.binary(), st.none() | st.binary())
def test_any_letter_has_a_head_and_a_verdict(
    headers: list[tuple[str, bytes]], key: bytes | None, value: bytes | None
) -> None:
    """Whatever lies in a dead-letter topic, it is released as it is or left alone with a reason."""
    received = Received(HEAD.place.topic, 0, 0, 0, key, value, tuple(headers))
    assert letter_of(received).place.offset == 0
    released = release_of(received, "r", NOW)
    assert released is Unreleasable.NO_SOURCE or (isinstance(released, Message) and released.value == value)


@pytest.mark.parametrize(
    ("source", "target"),
    [
        (FETCH.name, FETCH_BULK.name),
        (FETCH_BULK.name, FETCH_BULK.name),
        (FETCH_RETRY_2M.name, FETCH_BULK.name),
        (FETCH_RETRY_60M.name, FETCH_BULK.name),
        (RECORDS.name, RECORDS.name),
    ],
)
def test_a_release_goes_to_its_source_and_from_a_fetch_lane_to_the_bulk_lane(source: str, target: str) -> None:
    """Key, bytes and foreign headers as they were; nothing of the refusal, of the attempts and of the old trace."""
    counted = (("ringback_attempt", b"6"), ("ringback_due", b"1"), ("ringback_reason", b"x"), ("ringback_read", b"r"))
    released = release_of(
        letter(source, headers=(*counted, ("traceparent", b"00-"), ("ce_id", b"i"), ("null", None))), "run", NOW
    )
    marks = (("ringback_replay", b"true"), ("ringback_run", b"run"))
    headers = (("ce_id", b"i"), ("null", b""), *marks)
    assert released == Message(target, f"{TENANT}|c".encode(), VALUE, headers)


def test_a_letter_released_twice_is_marked_once() -> None:
    """Refused again, it carries the marks of the first release; the second replaces them."""
    first = release_of(letter(), "one", NOW)
    assert isinstance(first, Message)
    second = release_of(letter(headers=first.headers), "two", NOW)
    assert isinstance(second, Message)
    assert dict(second.headers)["ringback_run"] == b"two"
    assert len(second.headers) == len(first.headers)


def test_what_graph_no_longer_has_is_not_released() -> None:
    """Thirty days after the notification the enricher would drop it unasked; other topics know no such age."""
    day_30, later = NOW + timedelta(days=20), NOW + timedelta(days=20, seconds=1)
    assert isinstance(release_of(letter(), "r", day_30), Message)
    assert release_of(letter(), "r", later) is Unreleasable.TOO_OLD
    assert isinstance(release_of(letter(RECORDS.name), "r", later), Message)


@pytest.mark.parametrize("source", ["", "somebody.elses.topic", HEAD.place.topic])
def test_a_letter_of_no_topic_of_ours_stays(source: str) -> None:
    """The header may be anybody's: nothing is written to a topic the contract does not have, nor to dead letters."""
    received = letter()
    headers = (*received.headers[1:], ("ringback_dlq_topic", source.encode()))
    assert release_of(replace(received, headers=headers), "r", NOW) is Unreleasable.NO_SOURCE


def test_a_plan_counts_and_tells_the_time_of_the_busiest_tenant() -> None:
    """Of Graph's budget a tenant has 72 requests a second for the enricher, a tenth of it while live ones are busy."""
    plan = Plan()
    for number in range(720):
        plan.add(FETCH.name, "not_found", FETCH_BULK.name, f"t{number % 2}|c{number}".encode())
    plan.add(FETCH.name, "not_found", "stays (too_old)", b"t0|x")
    assert plan.rows() == [
        (FETCH.name, "not_found", FETCH_BULK.name, 720),
        (FETCH.name, "not_found", "stays (too_old)", 1),
    ]
    cost = plan.estimate(720, 50)
    assert (cost.write, cost.graph_requests, cost.fetch, cost.fetch_busy) == (15, 720, 5, 50)


@pytest.mark.parametrize(
    ("name", "value", "reported"),
    [
        ("ringback_dlq_partition", "3", 3),
        ("ringback_dlq_attempts", "7", 7),
        ("ringback_dlq_timestamp", "1795368862371", datetime(2026, 11, 22, 17, 34, 22, 371_000, UTC)),
        ("ringback_dlq_timestamp", "9" * 30, "9" * 30),
        ("ringback_dlq_offset", "x1", "x1"),
        ("ringback_dlq_offset", "9223372036854775807", 9223372036854775807),
        ("ringback_dlq_offset", "7" * 5000, "7" * 5000),
        ("ringback_dlq_offset", "\u0663", "\u0663"),
        ("ringback_dlq_reason", "404", "404"),
        ("ringback_attempt", "3", "3"),
    ],
)
def test_a_header_is_what_it_is_in_json(name: str, value: str, reported: object) -> None:
    """Numbers and the time of the refused record; what others wrote stays text."""
    assert header_value(name, value) == reported
