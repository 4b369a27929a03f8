"""The fetch step: every row of the failure table that concerns it, and what coalescing promises."""

from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pytest
from ringback_common.errors import Throttled, Transient
from ringback_common.outcomes import Accounting, Drop, Emit, Outcome, Reason, Received, Reject
from ringback_common.scopes import Scope
from ringback_enricher.adapters.graph import FetchFailure
from ringback_enricher.core.requests.decisions import longest_waits
from ringback_events.times import wire_time
from ringback_events.topics import (
    CALLS,
    FETCH_ASIDE,
    FETCH_BULK,
    FETCH_RETRY_2M,
    FETCH_RETRY_10S,
    FETCH_RETRY_60M,
    RECORDS,
    SESSIONS,
    Topic,
)
from ringback_graph.availability.state import Signal
from ringback_testing.fetch_bench import FoundOf, MakeBench, RawOf, RequestOf, deferral, emitted, topics_of
from ringback_testing.graph_records import CALL, TENANT

NOT_FOUND = FetchFailure(Reason.NOT_FOUND)
START = datetime(2026, 11, 2, 10, 0, tzinfo=UTC)
FORBIDDEN = FetchFailure(Reason.FORBIDDEN, Signal.FORBIDDEN, "AccessDenied")
REFUSED = FetchFailure(Reason.REFUSED, Signal.REFUSED, "status_400")
MALFORMED = FetchFailure(Reason.MALFORMED_RECORD, Signal.UNEXPECTED, "body")


async def test_a_found_record_is_published_in_the_promised_order(
    make_bench: MakeBench, request_of: RequestOf, found: FoundOf
) -> None:
    """Restricted record, then sessions by ordinal, then the marker, then the call: each stage acked before the next."""
    (outcome,) = emitted(await make_bench(found()).step([request_of()]))
    assert topics_of(outcome) == [[RECORDS.name], [SESSIONS.name], [SESSIONS.name], [CALLS.name]]
    assert [orjson.loads(message.value or b"")["ordinal"] for message in outcome.stages[1]] == [0, 1, 2, 3]
    assert orjson.loads(outcome.stages[2][0].value or b"")["completed"] is True


async def test_a_released_request_of_a_refused_record_is_refused_again(
    make_bench: MakeBench, request_of: RequestOf
) -> None:
    """What Graph's answer makes final is final for every request in hand."""
    outcomes = await make_bench(FetchFailure(Reason.HOSTILE_LINK)).step([request_of(), request_of(source="release")])
    assert outcomes == [Reject(Reason.HOSTILE_LINK), Reject(Reason.HOSTILE_LINK)]


@pytest.mark.parametrize(
    ("answer", "asked", "topic", "reason", "attempt"),
    [
        (NOT_FOUND, {}, FETCH_RETRY_2M, Reason.NOT_FOUND, b"1"),
        (NOT_FOUND, {"tried": (2, Reason.NOT_FOUND)}, FETCH_RETRY_2M, Reason.NOT_FOUND, b"3"),
        (NOT_FOUND, {"tried": (3, Reason.NOT_FOUND)}, FETCH_RETRY_60M, Reason.NOT_FOUND, b"4"),
        (NOT_FOUND, {"tried": (5, Reason.NOT_FOUND)}, FETCH_RETRY_60M, Reason.NOT_FOUND, b"6"),
        (NOT_FOUND, {"tried": (4, Reason.FORBIDDEN)}, FETCH_RETRY_2M, Reason.NOT_FOUND, b"5"),
        (NOT_FOUND, {"source": "reconcile"}, FETCH_RETRY_2M, Reason.NOT_FOUND, b"1"),
        (FORBIDDEN, {}, FETCH_RETRY_2M, Reason.FORBIDDEN, b"1"),
        (REFUSED, {}, FETCH_RETRY_2M, Reason.REFUSED, b"1"),
        (REFUSED, {"source": "replay"}, FETCH_RETRY_2M, Reason.REFUSED, b"1"),
        (MALFORMED, {}, FETCH_RETRY_2M, Reason.MALFORMED_RECORD, b"1"),
        (MALFORMED, {"tried": (5, Reason.MALFORMED_RECORD)}, FETCH_RETRY_60M, Reason.MALFORMED_RECORD, b"6"),
        (FetchFailure(Reason.VERSION_UNSTABLE), {}, FETCH_RETRY_2M, Reason.VERSION_UNSTABLE, b"1"),
        (FetchFailure(Reason.MOVED_TO_BULK), {}, FETCH_BULK, Reason.MOVED_TO_BULK, b"0"),
        (FetchFailure(Reason.FORBIDDEN, Signal.AUTH_FAILING), {}, FETCH_ASIDE, Reason.TENANT_PAUSED, b"0"),
    ],
)
async def test_a_failure_that_may_pass_goes_to_its_tier(
    make_bench: MakeBench,
    request_of: RequestOf,
    answer: FetchFailure,
    asked: dict[str, Any],
    topic: Topic,
    reason: Reason,
    attempt: bytes,
) -> None:
    """The deferring rows of the failure table: lane, reason and attempt."""
    (outcome,) = await make_bench(answer).step([request_of(**asked)])
    where, why, headers = deferral(outcome)
    assert (where, why, headers.get("ringback_attempt", b"0")) == (topic.name, reason, attempt)


@pytest.mark.parametrize(
    ("answer", "asked", "outcome"),
    [
        (NOT_FOUND, {"tried": (6, Reason.NOT_FOUND)}, Reject(Reason.NOT_FOUND)),
        (NOT_FOUND, {"age": timedelta(minutes=150)}, Reject(Reason.NOT_FOUND)),
        (NOT_FOUND, {"source": "lookup"}, Reject(Reason.NOT_FOUND)),
        (NOT_FOUND, {"source": "replay"}, Reject(Reason.NOT_FOUND)),
        (NOT_FOUND, {"source": "canary"}, Drop(Reason.CANARY)),
        (FORBIDDEN, {"tried": (6, Reason.FORBIDDEN)}, Reject(Reason.FORBIDDEN, "AccessDenied")),
        (REFUSED, {"tried": (6, Reason.REFUSED)}, Reject(Reason.REFUSED, "status_400")),
        (FetchFailure(Reason.TOO_LARGE), {}, Reject(Reason.TOO_LARGE)),
        (MALFORMED, {"tried": (6, Reason.MALFORMED_RECORD)}, Reject(Reason.MALFORMED_RECORD, "body")),
        (FetchFailure(Reason.HOSTILE_LINK), {}, Reject(Reason.HOSTILE_LINK)),
        (NOT_FOUND, {"age": timedelta(days=31)}, Drop(Reason.TOO_OLD)),
    ],
)
async def test_a_failure_that_will_not_pass_is_final(
    make_bench: MakeBench, request_of: RequestOf, answer: FetchFailure, asked: dict[str, Any], outcome: Outcome
) -> None:
    """The final rows of the failure table: dead letter or drop, with the reason."""
    assert await make_bench(answer).step([request_of(**asked)]) == [outcome]


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (None, Reason.UNDECODABLE),
        (b"", Reason.UNDECODABLE),
        (b"\xff\x00", Reason.UNDECODABLE),
        (b"[]", Reason.SCHEMA_INVALID),
        (b'{"tenantId":"t"}', Reason.SCHEMA_INVALID),
    ],
)
async def test_poison_is_rejected_without_asking_graph(
    make_bench: MakeBench, raw: RawOf, request_of: RequestOf, found: FoundOf, value: bytes | None, reason: Reason
) -> None:
    """What is no request goes to the dead letters; its neighbours are served."""
    bench = make_bench(found())
    poisoned, served = await bench.step([raw(value), request_of()])
    assert isinstance(poisoned, Reject)
    assert poisoned.reason is reason
    assert isinstance(served, Emit)
    await bench.step([raw(value)])
    assert len(bench.graph.asked) == 1


async def test_a_request_under_another_calls_key_is_rejected(
    make_bench: MakeBench, request_of: RequestOf, found: FoundOf
) -> None:
    """One key, one call: a step fetches one call only."""
    foreign = request_of(key=b"somebody|else")
    assert await make_bench(found()).step([foreign]) == [Reject(Reason.SCHEMA_INVALID, "key")]


async def test_a_record_with_another_id_is_not_published(
    make_bench: MakeBench, request_of: RequestOf, found: FoundOf
) -> None:
    """A record is published under its own key or not at all; Graph may have the right one the next time."""
    bench = make_bench(found(id="another"))
    (outcome,) = await bench.step([request_of()])
    assert deferral(outcome)[:2] == (FETCH_RETRY_2M.name, Reason.MALFORMED_RECORD)
    last = request_of(tried=(6, Reason.MALFORMED_RECORD))
    assert await bench.step([last]) == [Reject(Reason.MALFORMED_RECORD, "id")]


async def test_one_fetch_answers_all_requests_in_hand(
    make_bench: MakeBench, request_of: RequestOf, found: FoundOf
) -> None:
    """A hundred notifications in hand cost one fetch and one publication, and one later check of the version."""
    bench = make_bench(found())
    outcomes = emitted(await bench.step([request_of() for _ in range(100)]))
    assert len(bench.graph.asked) == 1
    assert [len(outcome.stages) for outcome in outcomes] == [4] + [0] * 98 + [1]


async def test_a_record_was_received_when_its_oldest_request_was(
    make_bench: MakeBench, request_of: RequestOf, found: FoundOf
) -> None:
    """Freshness counts from the first notification that waits for the version, wherever it stands among them."""
    waiting = [request_of(age=timedelta(minutes=minutes)) for minutes in (2, 7, 0)]
    outcomes = emitted(await make_bench(found()).step(waiting))
    record = orjson.loads(outcomes[0].stages[0][0].value or b"")
    assert record["receivedAt"] == wire_time(START - timedelta(minutes=7))


async def test_a_live_request_is_spared_a_re_publication(
    make_bench: MakeBench, request_of: RequestOf, found: FoundOf
) -> None:
    """The version everybody has is not published again for a notification; a newer one is."""
    bench = make_bench(found(3), found(3), found(4))
    seen = [topics_of((await bench.settled(request_of()))[0])[0] for _ in range(3)]
    assert seen == [[RECORDS.name], [FETCH_RETRY_2M.name], [RECORDS.name]]


@pytest.mark.parametrize("source", ["reconcile", "backfill", "replay", "lookup", "release"])
async def test_whoever_asks_on_purpose_gets_a_publication(
    make_bench: MakeBench, request_of: RequestOf, found: FoundOf, source: str
) -> None:
    """Reconcile, back-fill, replay, look-up and release always publish, marked as a repeat."""
    bench = make_bench(found())
    await bench.settled(request_of())
    (outcome,) = emitted(await bench.settled(request_of(source=source)))
    assert len(outcome.stages) == 4
    assert ("ringback_replay", b"true") in outcome.stages[0][0].headers


async def test_a_released_notification_gets_a_publication_however_old_it_is(
    make_bench: MakeBench, request_of: RequestOf, found: FoundOf
) -> None:
    """A release has the bytes of the notification it was; its header says who asks now: in bulk, and on purpose."""
    bench = make_bench(found())
    await bench.settled(request_of())
    (outcome,) = emitted(
        await bench.settled(request_of(age=timedelta(days=10), headers=(("ringback_replay", b"true"),)))
    )
    assert len(outcome.stages) == 4
    assert bench.graph.asked[-1][-1] is True


async def test_a_publication_that_was_never_acked_spares_nobody(
    make_bench: MakeBench, request_of: RequestOf, found: FoundOf
) -> None:
    """Cancelled between fetch and ack: the redelivered request publishes, and so does a new notification."""
    bench, asked = make_bench(found()), request_of()
    for request in (asked, asked, request_of()):
        (outcome,) = emitted(await bench.step([request]))
        assert len(outcome.stages) == 4
        assert ("ringback_replay", b"true") not in outcome.stages[0][0].headers


async def test_a_publication_that_the_broker_refused_spares_nobody(
    make_bench: MakeBench, request_of: RequestOf, found: FoundOf
) -> None:
    """Dead-lettered as too large: the next notification of the call publishes again."""
    bench = make_bench(found())
    await bench.step([request_of()])
    bench.published.acked([Reject(Reason.TOO_LARGE, "TooLarge")])
    (outcome,) = emitted(await bench.step([request_of()]))
    assert len(outcome.stages) == 4


async def test_an_older_acked_version_does_not_replace_a_newer_one(
    make_bench: MakeBench, request_of: RequestOf, found: FoundOf
) -> None:
    """A replayed step's late acknowledgement never takes the memory back."""
    bench = make_bench(found(3), found(4), found(4))
    older = await bench.step([request_of()])
    await bench.settled(request_of())
    bench.published.acked(older)
    (outcome,) = await bench.step([request_of()])
    assert deferral(outcome)[1] is Reason.VERSION_UNCHANGED


async def test_the_canary_never_reaches_the_open_topics(
    make_bench: MakeBench, request_of: RequestOf, found: FoundOf
) -> None:
    """It walks the path as far as the restricted record, and spares nobody a publication."""
    bench = make_bench(found())
    (outcome,) = await bench.settled(request_of(source="canary"))
    assert topics_of(outcome) == [[RECORDS.name]]
    (outcome,) = emitted(await bench.step([request_of()]))
    assert len(outcome.stages) == 4


async def test_an_older_version_than_asked_for_is_published_and_looked_at_again(
    make_bench: MakeBench, request_of: RequestOf, found: FoundOf
) -> None:
    """What came is published; the request looks again three times, then is satisfied and counted."""
    bench = make_bench(found(3))
    (outcome,) = emitted(await bench.step([request_of(min_version=4)]))
    assert topics_of(outcome)[-1] == [FETCH_RETRY_2M.name]
    assert len(outcome.stages) == 5
    assert deferral(outcome)[1] is Reason.VERSION_BEHIND
    (outcome,) = emitted(await bench.step([request_of(min_version=4, tried=(3, Reason.VERSION_BEHIND))]))
    assert (outcome.accounting, outcome.reason) == (Accounting.SATISFIED, Reason.VERSION_BEHIND)


@pytest.mark.parametrize(
    "failure", [Throttled(Scope.tenant(TENANT), 5.0), Throttled(Scope.record(TENANT, CALL), 300.0), Transient("away")]
)
async def test_what_may_pass_soon_is_left_to_the_runtime(
    make_bench: MakeBench, request_of: RequestOf, failure: Transient
) -> None:
    """A short Retry-After, one of a record alone and a failing Graph: the step raises, nothing is decided."""
    with pytest.raises(type(failure)):
        await make_bench(failure).step([request_of()])


async def test_a_request_that_alone_keeps_failing_goes_to_the_tiers_for_a_day(
    make_bench: MakeBench, request_of: RequestOf
) -> None:
    """After ten seconds, three times after two minutes, then hourly; then the dead letters."""
    bench = make_bench(NOT_FOUND)
    assert deferral(bench.step.exhausted(request_of(), 4))[:2] == (FETCH_RETRY_10S.name, Reason.UPSTREAM_ERROR)
    hourly = bench.step.exhausted(request_of(tried=(27, Reason.UPSTREAM_ERROR)), 4)
    assert deferral(hourly)[0] == FETCH_RETRY_60M.name
    assert bench.step.exhausted(request_of(tried=(28, Reason.UPSTREAM_ERROR)), 4) == Reject(Reason.UPSTREAM_ERROR)


async def test_a_record_that_alone_is_throttled_goes_to_the_tiers_for_a_day(
    make_bench: MakeBench, request_of: RequestOf
) -> None:
    """It is counted like a failure of its own, so it ends; what is no request is refused."""
    bench = make_bench(NOT_FOUND)
    assert deferral(bench.step.throttled(request_of(), 5.0))[:2] == (FETCH_RETRY_10S.name, Reason.THROTTLED)
    assert deferral(bench.step.throttled(request_of(), 11.0))[0] == FETCH_RETRY_2M.name
    last = request_of(tried=(28, Reason.THROTTLED))
    assert bench.step.throttled(last, 5.0) == Reject(Reason.THROTTLED)
    foreign = request_of(key=b"another|call")
    assert bench.step.throttled(foreign, 5.0) == Reject(Reason.SCHEMA_INVALID, "key")


async def test_what_exceeds_its_tenants_share_moves_as_it_is(make_bench: MakeBench, request_of: RequestOf) -> None:
    """Nothing is counted, and nothing that it had waited for goes along."""
    bench = make_bench(NOT_FOUND)
    where, why, headers = deferral(bench.step.move(request_of(tried=(1, Reason.NOT_FOUND)), FETCH_ASIDE.name))
    assert (where, why, headers["ringback_looks"]) == (FETCH_ASIDE.name, Reason.OVER_SHARE, b"not_found=1")
    assert "ringback_due" not in headers


async def test_what_nobody_waits_for_is_not_moved(make_bench: MakeBench, request_of: RequestOf) -> None:
    """Neither the canary nor what Graph keeps no longer: it would wait for its tenant for ever."""
    bench = make_bench(NOT_FOUND)
    assert bench.step.move(request_of(source="canary"), FETCH_ASIDE.name) == Drop(Reason.CANARY)
    old = request_of()
    bench.clock.advance(days=31)
    assert bench.step.move(old, FETCH_ASIDE.name) == Drop(Reason.TOO_OLD)


async def test_a_request_that_waits_for_a_read_comes_again_no_sooner_than_after_a_second(
    make_bench: MakeBench, request_of: RequestOf
) -> None:
    """However fast Graph's slowness passes: the lane would be full of copies of one hanging read."""
    bench = make_bench(NOT_FOUND, time_scale=600)
    headers = deferral(bench.step.busy(request_of(), b"r.1.0"))[2]
    assert int(headers["ringback_due"]) - int(bench.clock.now().timestamp() * 1000) == 1000
    assert longest_waits(600)[FETCH_RETRY_10S] == 1.0
    assert longest_waits(1)[FETCH_RETRY_10S] == 10.0


async def test_a_copy_stands_for_a_read_that_takes_long_and_ends_after_a_day(
    make_bench: MakeBench, request_of: RequestOf
) -> None:
    """It names the read, which is held against it; waiting on for the same read is not."""
    bench = make_bench(NOT_FOUND)
    where, why, headers = deferral(bench.step.slow(request_of(), b"r.1.0"))
    assert (where, why, headers["ringback_looks"]) == (FETCH_RETRY_10S.name, Reason.SLOW, b"slow=1")
    assert headers["ringback_read"] == b"r.1.0"
    copy = request_of(tried=(1, Reason.SLOW), headers=(("ringback_read", b"r.1.0"),))
    where, _, headers = deferral(bench.step.busy(copy, None))
    assert (where, headers["ringback_looks"], headers["ringback_read"]) == (FETCH_RETRY_10S.name, b"slow=1", b"r.1.0")
    assert deferral(bench.step.slow(request_of(tried=(27, Reason.SLOW)), b"r.2.0"))[0] == FETCH_RETRY_60M.name
    assert bench.step.slow(request_of(tried=(28, Reason.SLOW)), b"r.3.0") == Reject(Reason.SLOW)


async def test_a_deferred_request_keeps_its_bytes_and_identity(make_bench: MakeBench, request_of: RequestOf) -> None:
    """The value byte for byte, the key and the event's own headers; the trace of the last hop is left behind."""
    asked: Received = request_of(headers=(("ce_id", b"x"), ("traceparent", b"00-1-2-01"), ("null", None)))
    (outcome,) = emitted(await make_bench(NOT_FOUND).step([asked]))
    message = outcome.stages[0][0]
    assert (message.key, message.value) == (asked.key, asked.value)
    assert [name for name, _ in message.headers] == [
        "ce_id",
        "ringback_attempt",
        "ringback_looks",
        "ringback_reason",
        "ringback_due",
    ]


async def test_the_due_time_is_divided_by_the_time_scale(make_bench: MakeBench, request_of: RequestOf) -> None:
    """Two minutes in production, two seconds in a demo at scale 60."""
    for scale, wait in ((1.0, 120_000), (60.0, 2_000)):
        bench = make_bench(NOT_FOUND, time_scale=scale)
        (outcome,) = await bench.step([request_of()])
        assert int(deferral(outcome)[2]["ringback_due"]) - int(bench.clock.now().timestamp() * 1000) == wait


async def test_bulk_requests_ask_in_the_bulk_lane(make_bench: MakeBench, request_of: RequestOf, found: FoundOf) -> None:
    """Whatever came by the bulk lane, or from a source that works in bulk, leaves the budget to live requests."""
    bench = make_bench(found())
    in_bulk = (
        *(request_of(), request_of(topic=FETCH_BULK)),
        *(request_of(source="backfill", topic=FETCH_RETRY_2M), request_of(source="lookup")),
    )
    for asked in in_bulk:
        await bench.step([asked])
    assert [bulk for _, bulk in bench.graph.asked] == [False, True, True, False]
