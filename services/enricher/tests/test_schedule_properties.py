"""The life of one fetch request under any sequence of answers: always patient enough, always over within a day."""

from collections import Counter
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

import orjson
from hypothesis import given, settings
from hypothesis import strategies as st
from ringback_common.outcomes import Drop, Emit, Message, Outcome, Reason, Received, Reject
from ringback_enricher.core.requests.decisions import Schedule, decide, look_again, move_to_bulk, put_aside
from ringback_enricher.core.requests.pending_fetch import PendingFetch, accept
from ringback_events.fetch import FetchRequest
from ringback_events.keys import call_key
from ringback_events.topics import FETCH, FETCH_ASIDE, FETCH_BULK, FETCH_RETRY_2M, FETCH_RETRY_10S, FETCH_RETRY_60M
from ringback_testing.graph_records import CALL, TENANT
from ringback_testing.properties import examples

START = datetime(2026, 11, 2, 10, 0, tzinfo=UTC)
SOON = (FETCH_RETRY_10S.name, timedelta(seconds=10))
SHORT, LONG = (FETCH_RETRY_2M.name, timedelta(minutes=2)), (FETCH_RETRY_60M.name, timedelta(minutes=60))
SIX = [SHORT] * 3 + [LONG] * 3
ROWS = {
    Reason.NOT_FOUND: SIX,
    Reason.FORBIDDEN: SIX,
    Reason.VERSION_UNSTABLE: SIX,
    Reason.REFUSED: SIX,
    Reason.MALFORMED_RECORD: SIX,
    Reason.UNKNOWN_TENANT: [SHORT] * 5,
    Reason.UPSTREAM_ERROR: [SOON] + [SHORT] * 3 + [LONG] * 24,
    Reason.THROTTLED: [SOON] + [SHORT] * 3 + [LONG] * 24,
    Reason.VERSION_BEHIND: [SHORT] * 3,
    Reason.SESSIONS_MISSING: [SOON, SHORT, SHORT],
}
"""The failure table of ARCHITECTURE.md, spelled out a second time."""
PUBLISHED = (Reason.VERSION_BEHIND, Reason.SESSIONS_MISSING)
"""What there is, is published when the looks are used up."""
FINAL = (Reason.TOO_LARGE, Reason.HOSTILE_LINK)
A_DAY = sum((wait for _, wait in ROWS[Reason.UPSTREAM_ERROR]), timedelta())
LEAST = timedelta(seconds=1)
"""Whatever waits for a read comes again no sooner."""
NOT_YET = timedelta(minutes=150)
SOURCES = ("webhook", "eventhub", "reconcile", "backfill", "release", "lookup", "replay")

answers = st.sampled_from([*ROWS, *ROWS, *FINAL, Reason.TENANT_PAUSED, Reason.MOVED_TO_BULK])
lags = st.sampled_from([0, 0, 0, 1, 59, 60, 600, 3600, 86_400]).map(lambda seconds: timedelta(seconds=seconds))


@dataclass
class Life:
    """A request on its way through the lanes, and what a bystander noted of it."""

    source: str
    scale: float
    now: datetime = START
    attempts: Counter[Reason] = field(default_factory=Counter[Reason])
    patience: timedelta = timedelta()
    """Waits it was given, pauses of its tenant left out; unscaled."""
    bulk_moves: int = 0
    message: Message = field(init=False)

    def __post_init__(self) -> None:
        asked = FetchRequest(tenant_id=TENANT, call_id=CALL, source=self.source, received_at=START)
        self.message = Message(FETCH.name, call_key(TENANT, CALL), asked.model_dump_json(by_alias=True).encode(), ())

    def request(self) -> PendingFetch | Drop | Reject:
        """The request as the next step is given it."""
        reported = self.message
        return accept(Received(reported.topic, 0, 0, 0, reported.key, reported.value, reported.headers), self.now)

    def answered(self, request: PendingFetch, reason: Reason) -> Outcome:
        """What the step says when Graph, or the tenant's gate, says this."""
        schedule = Schedule(self.now, self.scale)
        if reason is Reason.TENANT_PAUSED:
            return put_aside(request.received, FETCH_ASIDE.name, reason)
        if reason is Reason.MOVED_TO_BULK:
            return move_to_bulk(request)
        if reason in PUBLISHED:
            again = look_again(reason, request, schedule)
            return Emit() if again is None else Emit(((again,),), reason=reason)
        return decide(reason, request, schedule)

    def follow(self, reason: Reason, outcome: Outcome, lag: timedelta) -> bool:
        """Take the deferral the step answered with; False if the answer was final."""
        if not isinstance(outcome, Emit) or not outcome.stages:
            return False
        ((self.message,),) = outcome.stages
        assert outcome.reason is reason
        if reason is Reason.MOVED_TO_BULK:
            assert self.message.topic == FETCH_BULK.name
            self.bulk_moves += 1
            return True
        if reason is Reason.TENANT_PAUSED:
            assert self.message.topic == FETCH_ASIDE.name
            self.now += lag
            return True
        due = datetime.fromtimestamp(int(dict(self.message.headers)["ringback_due"]) / 1000, UTC)
        tier = self._tier(reason)
        wait = max(tier[1] / self.scale, LEAST if tier == SOON else timedelta())
        assert (self.message.topic, due - self.now) == (tier[0], _milliseconds(self.now, wait))
        self.now = due + lag
        return True

    def _tier(self, reason: Reason) -> tuple[str, timedelta]:
        tier = ROWS[reason][self.attempts[reason]]
        self.attempts[reason] += 1
        self.patience += tier[1]
        assert int(dict(self.message.headers)["ringback_attempt"]) == self.attempts.total()
        return tier


def _milliseconds(now: datetime, wait: timedelta) -> timedelta:
    """The wait as the header can tell it: due times are cut to whole milliseconds."""
    due = datetime.fromtimestamp(int((now + wait).timestamp() * 1000) / 1000, UTC)
    return due - now


def deserved(life: Life, reason: Reason) -> bool:
    """Whether the failure table grants another look: the row is not used up, nor a day, nor the horizon of a 404."""
    row = ROWS.get(reason, [])
    if reason is Reason.NOT_FOUND:
        final_at_once = life.source in {"lookup", "replay"}
        if final_at_once or life.now - START >= NOT_YET / life.scale:
            return False
    return life.attempts[reason] < len(row) and life.attempts.total() < len(ROWS[Reason.UPSTREAM_ERROR])


@examples(300)
@given(
    source=st.sampled_from(SOURCES),
    scale=st.sampled_from([1.0, 1.0, 60.0]),
    script=st.lists(st.tuples(answers, lags), min_size=1, max_size=90),
)
def test_any_sequence_of_answers_is_patient_as_the_table_says_and_ends(
    source: str, scale: float, script: list[tuple[Reason, timedelta]]
) -> None:
    """Each reason gets its own row whatever else happens between, in order, and never more than a day in all."""
    life = Life(source, scale)
    for reason, lag in script:
        request = life.request()
        if not isinstance(request, PendingFetch):
            assert request == Drop(Reason.TOO_OLD)
            assert life.now - START > timedelta(days=30)
            return
        if reason is Reason.MOVED_TO_BULK and request.is_bulk:
            continue  # whoever asks in the bulk lane may read as many pages as it takes
        again = reason in {Reason.TENANT_PAUSED, Reason.MOVED_TO_BULK} or deserved(life, reason)
        outcome = life.answered(request, reason)
        assert life.follow(reason, outcome, lag / scale) is again
        assert life.patience <= A_DAY
        if not again:
            assert outcome == (Emit() if reason in PUBLISHED else Reject(reason))
            return


PERSISTENT = [reason for reason in ROWS if reason is not Reason.NOT_FOUND]  # that one ends by the clock


@examples(200)
@given(
    cycle=st.lists(
        st.tuples(st.sampled_from([*PERSISTENT, Reason.MOVED_TO_BULK]), st.integers(1, 8)), min_size=1, max_size=3
    )
)
def test_answers_that_repeat_for_ever_end_within_a_day(cycle: list[tuple[Reason, int]]) -> None:
    """No cycle of failures, the move to the bulk lane among them, keeps a request going: 28 looks are the most."""
    reasons = [reason for reason, times in cycle for _ in range(times)]
    life = Life("webhook", 1.0)
    for turn in range(28 * 2 * (len(reasons) + 1)):
        reason, request = reasons[turn % len(reasons)], life.request()
        assert isinstance(request, PendingFetch)
        if reason is Reason.MOVED_TO_BULK and request.is_bulk:
            if set(reasons) == {Reason.MOVED_TO_BULK}:
                break  # read whole in the bulk lane
            continue
        if not life.follow(reason, life.answered(request, reason), timedelta(0)):
            break
    else:
        raise AssertionError(f"still asked for after {life.now - START}")
    assert life.now - START <= A_DAY


@examples(50)
@given(script=st.lists(st.tuples(st.sampled_from([Reason.NOT_FOUND, Reason.TENANT_PAUSED]), lags), max_size=40))
def test_a_record_graph_does_not_have_yet_is_looked_for_until_150_minutes_exactly(
    script: list[tuple[Reason, timedelta]],
) -> None:
    """A 404 is never final before the horizon, however the tenant was paused meanwhile, and always at or after it."""
    life = Life("webhook", 1.0)
    for reason, lag in [*script, *[(Reason.NOT_FOUND, timedelta(0))] * 7]:
        request = life.request()
        if not isinstance(request, PendingFetch):
            return
        again = reason is Reason.TENANT_PAUSED or life.now - START < NOT_YET
        assert life.follow(reason, life.answered(request, reason), lag) is again
        if not again:
            return
    raise AssertionError("never decided")


@examples(100)
@given(beside=st.integers(-2000, 2000) | st.integers(-90_000, 90_000), scale=st.sampled_from([1.0, 60.0]))
def test_a_404_turns_final_at_the_horizon_to_the_millisecond(beside: int, scale: float) -> None:
    """One millisecond before 150 minutes after the notification there is another look, from then on there is none."""
    life = Life("webhook", scale, now=START + NOT_YET / scale + timedelta(milliseconds=beside))
    request = life.request()
    assert isinstance(request, PendingFetch)
    outcome = decide(Reason.NOT_FOUND, request, Schedule(life.now, scale))
    assert isinstance(outcome, Reject if beside >= 0 else Emit)


@settings(parent=examples(50))
@given(
    headers=st.lists(
        st.tuples(
            st.sampled_from(["ringback_attempt", "ringback_due", "ringback_reason", "ringback_looks", "ce_id"]),
            st.none() | st.binary(max_size=40) | st.sampled_from([b"not_found", b"not_found=3", b"-1", b"99999999"]),
        ),
        max_size=8,
    ),
    reason=st.sampled_from([*ROWS, *FINAL]),
)
def test_whatever_headers_say_a_request_is_decided(headers: list[tuple[str, bytes | None]], reason: Reason) -> None:
    """Headers may come from anybody: no value of them raises, or keeps a request from its decision."""
    value = orjson.dumps({"tenantId": TENANT, "callId": CALL, "source": "webhook", "receivedAt": START.isoformat()})
    received = Received(FETCH_RETRY_2M.name, 0, 0, 0, call_key(TENANT, CALL), value, tuple(headers))
    request = accept(received, START)
    assert isinstance(request, PendingFetch)
    outcome = decide(reason, request, Schedule(START))
    assert isinstance(outcome, (Emit, Reject))


@examples(100)
@given(looked=st.integers(0, 27), retry_after=st.floats(0.1, 90_000), scale=st.sampled_from([1.0, 60.0]))
def test_a_throttled_record_waits_as_long_as_graph_asked_where_a_tier_is_as_long(
    looked: int, retry_after: float, scale: float
) -> None:
    """The shortest tier that is at least its turn's and at least Retry-After; beyond an hour the longest."""
    life = Life("webhook", scale)
    request = life.request()
    assert isinstance(request, PendingFetch)
    request = replace(request, attempts={Reason.THROTTLED: looked})
    schedule = Schedule(START, scale)
    outcome = decide(Reason.THROTTLED, request, schedule, not_before=timedelta(seconds=retry_after))
    assert isinstance(outcome, Emit)
    turn = ROWS[Reason.THROTTLED][looked][1]
    fitting = [
        name for name, wait in (SOON, SHORT, LONG) if wait >= turn and wait.total_seconds() / scale >= retry_after
    ]
    assert outcome.stages[0][0].topic == (fitting or [LONG[0]])[0]
