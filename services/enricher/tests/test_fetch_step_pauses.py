"""A tenant that Graph refuses or throttles is paused: what becomes of its requests meanwhile."""

from ringback_common.errors import Throttled
from ringback_common.outcomes import Reason, Reject
from ringback_common.scopes import Scope
from ringback_enricher.adapters.graph import FetchFailure
from ringback_events.topics import (
    FETCH_ASIDE,
    FETCH_ASIDE_2,
    FETCH_RETRY_2M,
    RECORDS,
)
from ringback_graph.availability.state import Signal
from ringback_testing.fetch_bench import FoundOf, MakeBench, RequestOf, deferral, emitted, topics_of
from ringback_testing.graph_records import TENANT

NOT_FOUND = FetchFailure(Reason.NOT_FOUND)
FORBIDDEN = FetchFailure(Reason.FORBIDDEN, Signal.FORBIDDEN, "AccessDenied")


async def test_an_unknown_tenant_gets_ten_minutes(make_bench: MakeBench, request_of: RequestOf) -> None:
    """The tenants file may lag behind a subscription: five attempts, two minutes apart; Graph is never asked."""
    bench = make_bench(NOT_FOUND, known=False)
    for looked in range(5):
        (outcome,) = await bench.step([request_of(tried=(looked, Reason.UNKNOWN_TENANT))])
        assert deferral(outcome)[0] == FETCH_RETRY_2M.name
    assert await bench.step([request_of(tried=(5, Reason.UNKNOWN_TENANT))]) == [Reject(Reason.UNKNOWN_TENANT)]
    assert bench.graph.asked == []


async def test_five_403_in_a_row_pause_the_tenant(make_bench: MakeBench, request_of: RequestOf, found: FoundOf) -> None:
    """From then on one probe a minute; the others are put aside, their attempts unchanged."""
    bench = make_bench(*[FORBIDDEN] * 6, found())
    for _ in range(5):
        await bench.step([request_of()])
    (outcome,) = await bench.step([request_of(tried=(2, Reason.NOT_FOUND))])
    where, why, headers = deferral(outcome)
    assert (where, why, headers["ringback_attempt"]) == (FETCH_ASIDE.name, Reason.TENANT_PAUSED, b"2")
    assert len(bench.graph.asked) == 5
    bench.clock.advance(seconds=61)
    await bench.step([request_of()])
    await bench.step([request_of()])
    assert len(bench.graph.asked) == 6  # one probe, and it failed
    bench.clock.advance(seconds=30)
    assert deferral((await bench.step([request_of()]))[0])[0] == FETCH_ASIDE.name
    bench.clock.advance(minutes=10)
    assert topics_of((await bench.settled(request_of()))[0])[0] == [RECORDS.name]  # the probe is answered
    assert topics_of((await bench.step([request_of(min_version=3)]))[0]) == []


async def test_a_paused_tenant_is_asked_for_one_record_a_minute(
    make_bench: MakeBench, request_of: RequestOf, found: FoundOf
) -> None:
    """However often it is asked about; the others move aside as they are, their attempts unchanged."""
    bench = make_bench(*[FORBIDDEN] * 5, found())
    assert bench.step.may_ask(request_of())
    for _ in range(5):
        await bench.step([request_of()])
    assert not bench.step.may_ask(request_of())
    where, why, headers = deferral(bench.step.move(request_of(tried=(2, Reason.NOT_FOUND)), FETCH_ASIDE_2.name))
    assert (where, why, headers["ringback_attempt"]) == (FETCH_ASIDE_2.name, Reason.TENANT_PAUSED, b"2")
    bench.clock.advance(minutes=11)
    probe = request_of()
    assert [bench.step.may_ask(probe), bench.step.may_ask(probe)] == [True, True]
    assert not bench.step.may_ask(request_of())
    assert len(bench.graph.asked) == 5
    assert topics_of((await bench.step([probe]))[0])[0] == [RECORDS.name]
    assert bench.step.may_ask(request_of())


async def test_a_probe_that_fails_is_followed_by_another_a_minute_later(
    make_bench: MakeBench, request_of: RequestOf
) -> None:
    """The tenant stays paused; the same record, redelivered, is no probe any more."""
    bench = make_bench(FORBIDDEN)
    for _ in range(5):
        await bench.step([request_of()])
    bench.clock.advance(seconds=61)
    probe = request_of()
    assert bench.step.may_ask(probe)
    await bench.step([probe])
    assert len(bench.graph.asked) == 6
    assert not bench.step.may_ask(probe)
    bench.clock.advance(seconds=61)
    assert bench.step.may_ask(request_of())


async def test_what_is_put_aside_is_judged_when_it_is_tried(make_bench: MakeBench, request_of: RequestOf) -> None:
    """Poison moves as it is: refused at the door it would be refused by the thousand before a halt is noticed.

    What waits for a read of its call was tried, and is refused.
    """
    bench = make_bench(FORBIDDEN)
    bench.operator_pauses.add(TENANT)
    foreign = request_of(key=TENANT.encode() + b"|another")
    moved = bench.step.move(foreign, FETCH_ASIDE.name)
    assert deferral(moved)[:2] == (FETCH_ASIDE.name, Reason.TENANT_PAUSED)
    (moved,) = emitted([moved])
    assert (moved.stages[0][0].key, moved.stages[0][0].value) == (foreign.key, foreign.value)
    assert bench.step.slow(foreign, b"r.1.0") == bench.step.busy(foreign, None) == Reject(Reason.SCHEMA_INVALID, "key")
    assert not bench.step.may_ask(request_of())


async def test_an_operators_pause_is_obeyed(make_bench: MakeBench, request_of: RequestOf, found: FoundOf) -> None:
    """A tenant paused by an operator is not asked, not even by a probe."""
    bench = make_bench(found())
    bench.operator_pauses.add(TENANT)
    (outcome,) = await bench.step([request_of()])
    assert deferral(outcome)[:2] == (FETCH_ASIDE.name, Reason.TENANT_PAUSED)
    assert bench.graph.asked == []


async def test_a_long_retry_after_of_the_tenant_pauses_it(
    make_bench: MakeBench, request_of: RequestOf, found: FoundOf
) -> None:
    """Nothing is asked before Retry-After has passed, not even by a probe."""
    bench = make_bench(Throttled(Scope.tenant(TENANT), 300.0), found())
    (outcome,) = await bench.step([request_of()])
    assert deferral(outcome)[:2] == (FETCH_ASIDE.name, Reason.TENANT_PAUSED)
    bench.clock.advance(seconds=299)
    await bench.step([request_of()])
    assert len(bench.graph.asked) == 1
    bench.clock.advance(seconds=2)
    (outcome,) = emitted(await bench.step([request_of()]))
    assert len(outcome.stages) == 4
