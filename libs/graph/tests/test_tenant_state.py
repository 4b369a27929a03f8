"""The tenants' state machine: when a tenant is asked, and when it is left alone."""

from hypothesis import given
from hypothesis import strategies as st
from ringback_graph.availability import LONGEST_WAIT_IN_PLACE
from ringback_graph.availability.state import (
    FORBIDDEN_IN_A_ROW,
    OPEN,
    PROBE_SECONDS,
    Signal,
    TenantState,
    admit,
    observe,
    throttle,
)

_steps = st.lists(
    st.tuples(st.floats(0, 90), st.sampled_from(list(Signal)) | st.floats(1, 400)),
    max_size=60,
)


def _after(state: TenantState, said: Signal | float, now: float) -> TenantState:
    return observe(state, said, now, PROBE_SECONDS) if isinstance(said, Signal) else throttle(state, said, now)


@given(_steps)
def test_an_answer_opens_the_tenant_whatever_came_before(steps: list[tuple[float, Signal | float]]) -> None:
    """No history keeps a tenant that answers from being asked."""
    state, now = OPEN, 0.0
    for wait, said in steps:
        now += wait
        state = _after(state, said, now)
    assert observe(state, Signal.ANSWERED, now, PROBE_SECONDS) == OPEN


@given(_steps)
def test_a_paused_tenant_is_asked_once_a_minute_and_never_inside_retry_after(
    steps: list[tuple[float, Signal | float]],
) -> None:
    """A probe comes a minute after the last one of its pause, and after every Retry-After."""
    state, now, probed, blocked_until = OPEN, 0.0, -1e9, -1e9
    for wait, said in steps:
        now += wait
        was_paused = state.pause is not None
        state, admitted = admit(state, now, PROBE_SECONDS)
        if was_paused and admitted:
            assert now - probed >= PROBE_SECONDS
            assert now >= blocked_until
        if admitted:
            state = _after(state, said, now)
            probed = now if was_paused and state.pause is not None else -1e9
            blocked_until = now + said if isinstance(said, float) and said > LONGEST_WAIT_IN_PLACE else blocked_until


@given(st.integers(0, FORBIDDEN_IN_A_ROW * 2))
def test_only_403_in_a_row_pause(forbidden: int) -> None:
    """Four do not, five do; the reason is reported."""
    state = OPEN
    for _ in range(forbidden):
        state = observe(state, Signal.FORBIDDEN, 0.0, PROBE_SECONDS)
    assert (state.pause is not None) == (forbidden >= FORBIDDEN_IN_A_ROW)
    assert state.pause is None or state.pause.why == "forbidden"


def test_a_pause_keeps_its_beginning() -> None:
    """A failing probe does not make a long pause look young: its records would go to the short tier again."""
    state = observe(OPEN, Signal.AUTH_FAILING, 100.0, PROBE_SECONDS)
    state, admitted = admit(state, 160.0, PROBE_SECONDS)
    assert admitted
    state = observe(state, Signal.AUTH_FAILING, 161.0, PROBE_SECONDS)
    assert state.pause is not None
    assert (state.pause.since, state.pause.next_probe) == (100.0, 221.0)
