"""The decisions: the failure table, the breaker, the limit, the dead letter, the due time, ownership."""

import asyncio

import pytest
from ringback_common.errors import ConfigError, DeadLetterLimit, Throttled, Transient
from ringback_common.outcomes import Drop, Emit, Outcome, Reason, Received, Reject
from ringback_common.scopes import Scope
from ringback_events.topics import ALL_TOPICS
from ringback_stream.consume.breaker import Breaker, BreakerState
from ringback_stream.consume.dead_letters import dead_letter
from ringback_stream.consume.failures import ACTION_BY_RESULT, Action, FailureContext, action_for
from ringback_stream.consume.ownership import Ownership
from ringback_stream.consume.partitions import Partition
from ringback_stream.consume.reject_limit import RejectLimit
from ringback_stream.lanes import due_ms

FETCH = "callrecords.internal.fetch.v1"


class HandClock:
    """A clock moved by hand."""

    def __init__(self) -> None:
        self.seconds = 100.0

    def monotonic(self) -> float:
        """Seconds as set."""
        return self.seconds


@pytest.mark.parametrize(
    ("result", "situation", "action"),
    [
        (Reject(Reason.UNDECODABLE), FailureContext.ALONE, Action.DEAD_LETTER),
        (Drop(Reason.TOO_OLD), FailureContext.ALONE, Action.COUNT),
        (Emit(), FailureContext.ALONE, Action.PUBLISH),
        (Transient("timeout"), FailureContext.GENERAL, Action.PAUSE),
        (Transient("timeout"), FailureContext.ALONE, Action.RETRY),
        (Transient("timeout"), FailureContext.EXHAUSTED, Action.GIVE_UP),
        (Throttled(Scope.tenant("x"), 3), FailureContext.GENERAL, Action.WAIT),
        (ConfigError("no"), FailureContext.ALONE, Action.EXIT_CONFIGURATION),
        (ZeroDivisionError(), FailureContext.GENERAL, Action.EXIT_CRASH),
        (DeadLetterLimit(), FailureContext.ALONE, Action.HALT),
        (asyncio.CancelledError(), FailureContext.ALONE, Action.REDELIVER),
    ],
    ids=lambda value: value.value if isinstance(value, (Action, FailureContext)) else type(value).__name__,
)
def test_the_failure_table(result: Outcome | BaseException, situation: FailureContext, action: Action) -> None:
    """Every row of the design's table leads to what it says."""
    assert action_for(result, situation) is action


def test_no_row_of_the_table_hides_another() -> None:
    """A subclass stands before its base, else it is never reached."""
    kinds = [kind for kind, _ in ACTION_BY_RESULT]
    for index, kind in enumerate(kinds):
        assert not any(issubclass(kind, earlier) for earlier in kinds[:index])


def test_the_breaker_opens_when_most_calls_fail_and_only_then() -> None:
    """Nine failures are too few to judge; of many, more than half open it."""
    breaker = Breaker()
    for _ in range(9):
        breaker.failed(0.0, probe=breaker.begin())
    assert breaker.state is BreakerState.CLOSED
    breaker.failed(0.0, probe=breaker.begin())
    assert breaker.state is BreakerState.OPEN
    even = Breaker()
    for _ in range(20):
        even.succeeded(probe=False)
        even.failed(0.0, probe=False)
    assert even.state is BreakerState.CLOSED


def test_an_open_breaker_lets_one_probe_through_and_waits_longer_after_each_failure() -> None:
    """The probe decides; a call begun before it opened does not."""
    breaker = Breaker()
    for _ in range(10):
        breaker.failed(0.0, probe=False)
    assert not breaker.allows(0.9)
    assert breaker.allows(1.0)
    assert breaker.begin()
    assert not breaker.allows(1.0)
    breaker.succeeded(probe=False)
    assert breaker.state is BreakerState.HALF_OPEN
    breaker.failed(1.0, probe=True)
    assert breaker.probe_at == 3.0
    assert breaker.begin()
    breaker.succeeded(probe=True)
    assert breaker.state is BreakerState.CLOSED


def test_twenty_rejects_in_a_row_are_too_many_and_graphs_refusals_do_not_count() -> None:
    """Only rejects our own code may cause are counted."""
    limit = RejectLimit()
    for _ in range(100):
        limit.note(Reason.NOT_FOUND)
    for _ in range(19):
        limit.note(Reason.SCHEMA_INVALID)
    assert not limit.exceeded
    limit.note(Reason.UNDECODABLE)
    assert limit.exceeded


def test_more_than_five_percent_of_two_hundred_are_too_many() -> None:
    """Ten of 200 pass, eleven do not; before 200 the share is not judged."""
    limit = RejectLimit()
    for number in range(199):
        limit.note(Reason.UNDECODABLE if number % 20 == 0 else None)
    assert not limit.exceeded
    limit.note(None)
    assert not limit.exceeded
    for number in range(19):
        limit.note(Reason.UNDECODABLE if number % 10 == 0 else None)
    assert limit.exceeded


def test_a_dead_letter_keeps_the_bytes_and_says_where_from_and_why() -> None:
    """Key, value and headers are the original ones; ours come after, and none quotes data."""
    hostile = (("x", b"\xff\xfe"), ("x", None), ("ringback_dlq_reason", b"forged"))
    received = Received(FETCH, 3, 41, 1_700_000_000_000, b"t|c", b"\x00garbage\xff", hostile)
    letter = dead_letter(received, Reject(Reason.UNDECODABLE, "JSONDecodeError"), "fetch", attempts=2)
    headers = dict(letter.headers)
    assert (letter.topic, letter.key, letter.value) == ("callrecords.internal.dead-letters.v1", b"t|c", received.value)
    assert letter.headers[:2] == (("x", b"\xff\xfe"), ("x", b""))
    reported = {name.removeprefix("ringback_dlq_"): value for name, value in headers.items() if "dlq" in name}
    fingerprint = reported.pop("fingerprint")
    assert len(fingerprint) == 16
    assert reported == {
        "topic": FETCH.encode(),
        "partition": b"3",
        "offset": b"41",
        "timestamp": b"1700000000000",
        "service": b"fetch",
        "reason": b"undecodable",
        "error_class": b"JSONDecodeError",
        "attempts": b"2",
    }


@pytest.mark.parametrize("topic", [t.name for t in ALL_TOPICS if t.dead_letters], ids=str)
def test_a_dead_letter_never_leaves_its_tier_downwards(topic: str) -> None:
    """What was restricted stays restricted."""
    letter = dead_letter(Received(topic, 0, 0, 0, b"k", b"v"), Reject(Reason.SCHEMA_INVALID), "store")
    assert letter.topic.startswith("callrecords.restricted." if ".restricted." in topic else "callrecords.")
    assert ".open." not in letter.topic


@pytest.mark.parametrize(
    ("headers", "due"),
    [
        ((("ringback_due", b"1700000000000"),), 1_700_000_000_000),
        ((("ringback_due", b"1"), ("ringback_due", b"2")), 2),
        ((("ringback_due", None),), None),
        ((("ringback_due", b"-1"),), None),
        ((("ringback_due", b"9" * 40),), None),
        ((("ringback_due", "٣".encode()),), None),
        ((), None),
    ],
)
def test_a_due_time_is_read_from_hostile_headers(
    headers: tuple[tuple[str, bytes | None], ...], due: int | None
) -> None:
    """What is not a plain number is as good as absent: the record is due now."""
    assert due_ms(Received(FETCH, 0, 0, 0, b"k", b"v", headers)) == due


@pytest.mark.parametrize(("due", "expected"), [(1_000, 1_000), (121_000, 121_000), (10_921_000, 121_000)])
def test_a_record_is_due_at_the_end_of_its_lane_s_wait_whatever_clock_wrote_it(due: int, expected: int) -> None:
    """A clock three hours ahead delays nothing; what is due earlier stays so. The broker's stamp is everybody's."""
    deferred = Received(FETCH, 0, 0, 1_000, b"k", b"v", (("ringback_due", str(due).encode()),))
    assert due_ms(deferred, longest_wait=120.0) == expected


def test_ownership_lasts_six_seconds_from_the_sending_of_the_proof() -> None:
    """Every topic's partition of the number must be proved, and a late proof counts from when it was sent."""
    clock = HandClock()
    ownership = Ownership(clock)  # pyright: ignore[reportArgumentType]
    both = (Partition("callrecords.internal.commands.v1", 4), Partition("callrecords.internal.lifecycle.v1", 4))
    assert not ownership.owns(4)
    ownership.assigned(both)
    assert not ownership.owns(4)
    ownership.proved(both[:1], 100.0)
    assert not ownership.owns(4)
    ownership.proved(both[1:], 99.0)
    assert ownership.owned() == {4}
    clock.seconds = 99.0 + 5.9
    assert ownership.owns(4)
    clock.seconds = 99.0 + 6.0
    assert not ownership.owns(4)
    ownership.proved(both, clock.seconds)
    ownership.dropped()
    assert not ownership.owns(4)
    ownership.proved(both, clock.seconds)
    assert not ownership.owns(4)
