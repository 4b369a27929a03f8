"""Answers that are neither a record nor a documented refusal: one tenant's pause it, several tenants' halt."""

import pytest
from ringback_common.errors import DeadLetterLimit
from ringback_common.outcomes import Emit, Reason
from ringback_enricher.adapters.graph import FetchFailure
from ringback_graph.availability import Governor
from ringback_graph.availability.state import (
    OPEN,
    PROBE_SECONDS,
    UNEXPECTED_CALLS,
    Signal,
    TenantState,
    may_be_our_fault,
    observe,
)
from ringback_testing.fetch_bench import MakeBench, RequestOf
from ringback_testing.graph_records import TENANT


def _after(*signals: tuple[Signal, str]) -> TenantState:
    state = OPEN
    for signal, call in signals:
        state = observe(state, signal, 0.0, PROBE_SECONDS, call)
    return state


def test_five_calls_in_a_row_pause_a_tenant_and_an_answer_begins_anew() -> None:
    """Four do not, nor do five with a record between them."""
    odd = [(Signal.UNEXPECTED, str(call)) for call in range(UNEXPECTED_CALLS)]
    assert _after(*odd[:-1]).pause is None
    assert _after(*odd[:-1], (Signal.ANSWERED, "x"), odd[-1]).pause is None
    paused = _after(*odd).pause
    assert paused is not None
    assert (paused.why, paused.next_probe) == ("unexpected_answers", PROBE_SECONDS)


def test_refusals_pause_too_and_halt_nothing(make_bench: MakeBench) -> None:
    """An incident in which Graph refuses everything passes by itself: each tenant is probed, the process stays up."""
    governor: Governor = make_bench(FetchFailure(Reason.NOT_FOUND)).governor
    said = [
        governor.observe(tenant, Signal.REFUSED, str(call)) for tenant in "abcd" for call in range(UNEXPECTED_CALLS)
    ]
    assert not any(said)
    assert [governor.why_paused(tenant) for tenant in "abcd"] == ["refused"] * 4


def test_one_sick_record_pauses_nobody() -> None:
    """The same call, tried again and again, is one call."""
    assert _after(*[(Signal.UNEXPECTED, "a")] * 50).pause is None


def test_a_probe_answered_unexpectedly_leaves_the_tenant_paused() -> None:
    """Whatever it is paused for; the next probe comes a minute later."""
    forbidden = _after(*[(Signal.FORBIDDEN, "a")] * 5)
    state = observe(forbidden, Signal.UNEXPECTED, 60.0, PROBE_SECONDS, "b")
    assert state.pause is not None
    assert (state.pause.why, state.pause.next_probe) == ("forbidden", 120.0)


@pytest.mark.parametrize(
    ("since", "active", "ours"),
    [
        ([0.0], 1, False),  # a single tenant that alone is active: its pause is all a halt could do
        ([0.0, 1.0], 2, True),
        ([0.0, 1.0], 3, False),
        ([0.0, 1.0, 2.0], 50, True),
        ([-601.0, 1.0, 2.0], 50, False),
    ],
)
def test_three_tenants_or_all_active_ones_within_ten_minutes_may_be_our_own_fault(
    since: list[float],
    active: int,
    ours: bool,  # noqa: FBT001 - a parameter of the table above
) -> None:
    """One tenant's nonsense never is."""
    assert may_be_our_fault(since, active, 0.0) is ours


async def test_one_tenants_nonsense_pauses_it_and_halts_nothing(make_bench: MakeBench, request_of: RequestOf) -> None:
    """A hundred malformed records of one tenant: four looks wasted, then it is put aside; nothing is dead-lettered."""
    bench = make_bench(FetchFailure(Reason.MALFORMED_RECORD, Signal.UNEXPECTED, "body"))
    for call in range(4):
        bench.governor.observe(TENANT, Signal.UNEXPECTED, f"other-{call}")
    outcomes = [(await bench.step([request_of()]))[0] for _ in range(100)]
    assert all(isinstance(outcome, Emit) for outcome in outcomes)
    assert {outcome.reason for outcome in outcomes[1:]} == {Reason.TENANT_PAUSED}
    assert bench.paused() == {TENANT: "unexpected_answers"}
    assert len(bench.graph.asked) == 1


def _nonsense(governor: Governor, tenant: str) -> bool:
    """Answer five calls of a tenant unexpectedly; whether that is said to be our own fault."""
    said = [governor.observe(tenant, Signal.UNEXPECTED, str(call)) for call in range(UNEXPECTED_CALLS)]
    return True in said


async def test_nonsense_for_every_active_tenant_halts_the_process(make_bench: MakeBench, request_of: RequestOf) -> None:
    """As after a release that can read no record: nothing is decided, and the step says that it must stop."""
    bench = make_bench(FetchFailure(Reason.MALFORMED_RECORD, Signal.UNEXPECTED, "body"))
    assert not _nonsense(bench.governor, "another tenant")
    for call in range(UNEXPECTED_CALLS - 1):
        bench.governor.observe(TENANT, Signal.UNEXPECTED, f"other-{call}")
    with pytest.raises(DeadLetterLimit):
        await bench.step([request_of()])
    assert bench.paused() == {}


def test_after_a_halt_the_tenants_count_anew(make_bench: MakeBench) -> None:
    """An operator lets the process go on: it halts again only if several tenants are paused again."""
    governor: Governor = make_bench(FetchFailure(Reason.NOT_FOUND)).governor
    assert [_nonsense(governor, tenant) for tenant in "ab"] == [False, True]
    assert [_nonsense(governor, tenant) for tenant in "ab"] == [False, True]


def test_a_tenant_idle_for_ten_minutes_is_not_active(make_bench: MakeBench) -> None:
    """Whoever answered long ago does not vouch for this process."""
    bench = make_bench(FetchFailure(Reason.NOT_FOUND))
    bench.governor.observe("c", Signal.ANSWERED, "x")
    assert [_nonsense(bench.governor, tenant) for tenant in "ab"] == [False, False]
    bench.clock.advance(minutes=11)
    assert [_nonsense(bench.governor, tenant) for tenant in "de"] == [False, True]
