"""A tenant for which Graph falls silent, while it answers others, is paused; silence for everybody is the breaker's."""

import asyncio
from dataclasses import replace

import pytest
from ringback_common.errors import Transient
from ringback_common.outcomes import Reason
from ringback_graph.availability.state import (
    OPEN,
    PROBE_SECONDS,
    SILENT_CALLS,
    Signal,
    observe,
    reached,
    throttle,
    unanswered,
    unresponsive,
)
from ringback_testing.fetch_bench import Bench, FoundOf, MakeBench, RequestOf
from ringback_testing.graph_records import TENANT

OTHER = "another tenant"


async def _silence(bench: Bench, calls: int = SILENT_CALLS) -> None:
    """Reads of that many calls in all go unanswered; the last one is the step's own."""
    for number in range(calls - 1):
        assert not bench.governor.unanswered(TENANT, f"other-{number}")


def test_a_pause_keeps_its_reason_and_its_beginning() -> None:
    """The gauge that counts paused tenants by reason is lowered by the reason that raised it."""
    state = unresponsive(observe(OPEN, Signal.AUTH_FAILING, 0.0, PROBE_SECONDS), 90.0, PROBE_SECONDS)
    assert state.pause is not None
    assert (state.pause.why, state.pause.since, state.pause.next_probe) == ("auth_failing", 0.0, 150.0)


def test_an_answer_to_the_question_lifts_no_pause_but_that_for_silence() -> None:
    """For the peer probe a 401 is an answer, too: what Graph asked for before is still to be respected."""
    throttled = throttle(unanswered(OPEN, "a"), 300.0, 10.0)
    assert reached(throttled) == replace(throttled, unanswered=frozenset())
    assert reached(unresponsive(unanswered(OPEN, "a"), 10.0, PROBE_SECONDS)) == OPEN
    forbidden = unanswered(observe(OPEN, Signal.FORBIDDEN, 10.0, PROBE_SECONDS), "a")
    assert reached(forbidden).forbidden == 1


@pytest.mark.parametrize("signal", [Signal.ANSWERED, Signal.FORBIDDEN])
def test_any_answer_ends_the_silence(signal: Signal) -> None:
    """A 403 is an answer, too: what went unanswered before it no longer counts."""
    assert observe(unanswered(OPEN, "a"), signal, 31.0, PROBE_SECONDS).unanswered == frozenset()


async def test_the_step_puts_a_silent_tenant_s_records_aside(
    make_bench: MakeBench, request_of: RequestOf, found: FoundOf
) -> None:
    """The fifth is put aside instead of tried again, those after it without asking; an answered probe ends it."""
    bench = make_bench(Transient("TimeoutError"), found())
    await _silence(bench)
    (outcome,) = await bench.step([request_of()])
    assert outcome.reason is Reason.TENANT_PAUSED
    assert bench.paused() == {TENANT: "silent"}
    assert not bench.step.may_ask(request_of())
    assert len(bench.graph.asked) == 1
    bench.clock.advance(seconds=61)
    probe = request_of()
    assert bench.step.may_ask(probe)
    await bench.settled(probe)
    assert bench.paused() == {}


async def test_a_probe_that_is_not_answered_leaves_the_tenant_paused(
    make_bench: MakeBench, request_of: RequestOf
) -> None:
    """For another minute, its record put aside once more; nobody else is asked for it."""
    bench = make_bench(Transient("TimeoutError"))
    await _silence(bench)
    await bench.step([request_of()])
    bench.clock.advance(seconds=61)
    probe = request_of()
    assert bench.step.may_ask(probe)
    (outcome,) = await bench.step([probe])
    assert outcome.reason is Reason.TENANT_PAUSED
    bench.clock.advance(seconds=59)
    assert not bench.step.may_ask(request_of())
    assert len(bench.graph.asked_for) == 2


async def test_the_tenant_and_one_other_are_asked_once_for_all_who_wait(
    make_bench: MakeBench, request_of: RequestOf
) -> None:
    """Many reads time out together; one question answers for all of them."""
    bench = make_bench(Transient("TimeoutError"))
    await _silence(bench)
    outcomes = await asyncio.gather(*(bench.step([request_of()]) for _ in range(8)))
    assert {outcome.reason for (outcome,) in outcomes} == {Reason.TENANT_PAUSED}
    assert sorted(bench.graph.asked_for) == sorted([TENANT, OTHER])


@pytest.mark.parametrize("reaches", [set[str](), {TENANT, OTHER}, {TENANT}])
async def test_nobody_is_paused_when_graph_is_away_or_back(
    make_bench: MakeBench, request_of: RequestOf, reaches: set[str]
) -> None:
    """It answers neither, or the tenant as well: the runtime tries again and its breaker counts; asked every 5 s."""
    bench = make_bench(Transient("TimeoutError"))
    bench.graph.reaches = reaches
    await _silence(bench)
    for _ in range(3):
        with pytest.raises(Transient):
            await bench.step([request_of()])
    assert len(bench.graph.asked_for) == 2
    assert bench.paused() == {}


async def test_a_peer_that_could_not_be_asked_for_proves_nothing(make_bench: MakeBench, request_of: RequestOf) -> None:
    """Graph may be away for everybody: the breaker waits in place, nothing is driven through the tiers."""
    bench = make_bench(Transient("TimeoutError"))
    bench.graph.without_token = {OTHER}
    await _silence(bench)
    with pytest.raises(Transient):
        await bench.step([request_of()])
    assert bench.graph.asked_for
    assert bench.paused() == {}


async def test_one_sick_record_asks_nobody(make_bench: MakeBench, request_of: RequestOf) -> None:
    """However often it is tried again, and four calls are no silence."""
    bench = make_bench(Transient("TimeoutError"))
    await _silence(bench, SILENT_CALLS - 1)
    for _ in range(20):
        with pytest.raises(Transient):
            await bench.step([request_of()])
    assert bench.graph.asked_for == []
