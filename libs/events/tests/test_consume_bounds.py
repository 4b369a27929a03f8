"""The consumer kit under load: as fast after a million calls as at the first, and bounded whatever does not come."""

import tracemalloc
from itertools import count
from time import process_time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ringback_events.consume import SessionAssembler
from ringback_events.open import OpenSession, SessionsCompleted
from ringback_testing.properties import examples

from bench.consumer_kit import events_of_calls, measure

GOAL = 20_000
"""Events a second; a test fails only past three times a goal, for it shares the machine."""


def session(call: int, ordinal: int = 0, version: int = 1) -> OpenSession:
    """A session with what the assembler looks at."""
    return OpenSession.model_construct(tenant_id="t", call_id=f"c{call}", version=version, revision=1, ordinal=ordinal)


def marker(call: int, sessions: int = 1, version: int = 1) -> SessionsCompleted:
    """The marker of a version."""
    return SessionsCompleted.model_construct(
        tenant_id="t", call_id=f"c{call}", version=version, revision=1, session_count=sessions
    )


def test_the_rate_does_not_depend_on_the_calls_seen() -> None:
    """At 500 calls seen and at 10,000, of which half are forgotten: the same rate, and above the goal."""
    levels = (500, 10_000)
    rates = measure(levels, rounds=3, calls=500, seconds=1.0, remember=5_000)["assembler"].rates
    few, many = (max(rates[seen]) for seen in levels)
    assert many > GOAL / 3
    assert many > few / 2.5


def test_many_versions_that_wait_cost_little() -> None:
    """The rate with 9,000 unfinished versions in hand is that with none, but for a factor that no reader notices."""
    rates: list[float] = []
    for waiting in (0, 9_000):
        assembler = SessionAssembler()
        for call in range(waiting):
            assembler.add(session(call), call)
        rates.append(_rate(assembler, first_offset=waiting))
    assert rates[1] > GOAL / 3
    assert rates[1] > rates[0] / 4


def _rate(assembler: SessionAssembler, first_offset: int) -> float:
    """Events a second of a reader's loop over 1,000 calls, the best of three times."""
    rates: list[float] = []
    for first in (100_000, 200_000, 300_000):
        events = list(enumerate(events_of_calls(first, 1_000), start=first_offset))
        first_offset += len(events)
        begun = process_time()
        for offset, event in events:
            assembler.add(event, offset)
            assembler.resume_from(offset + 1)
        rates.append(len(events) / (process_time() - begun))
    return max(rates)


def test_memory_follows_from_what_is_remembered_not_from_what_was_seen() -> None:
    """Eight times the calls, the same bytes."""
    held: list[int] = []
    for calls in (300, 2_400):
        tracemalloc.start()
        assembler = SessionAssembler(remember=200)
        for offset, event in enumerate(events_of_calls(0, calls)):
            assembler.add(event, offset)
        held.append(tracemalloc.get_traced_memory()[0])
        tracemalloc.stop()
    assert held[1] < held[0] * 2


def test_a_version_whose_marker_never_comes_lets_the_commit_go_on() -> None:
    """Its publisher died for good: after `span` offsets it is given up and counted, its neighbours lose nothing."""
    assembler = SessionAssembler(span=100)
    assembler.add(session(0), 10)
    for call, offset in zip(count(1), range(11, 111, 2), strict=False):
        assembler.add(session(call), offset)
        assert assembler.add(marker(call), offset + 1) is not None
    assert (assembler.resume_from(111), assembler.given_up) == (10, 0)
    assembler.add(session(900), 111)
    assert (assembler.resume_from(112), assembler.given_up) == (111, 1)
    assert assembler.add(marker(0), 112) is None  # of its one session nothing is kept
    assert [assembler.add(event, 113) is None for event in (session(0), marker(0))] == [True, False]


def test_sessions_in_hand_are_bounded() -> None:
    """Whatever comes without markers: the oldest version goes first."""
    assembler = SessionAssembler(hold=50)
    for call in range(40):
        for ordinal in range(2):
            assembler.add(session(call, ordinal), call * 2 + ordinal)
            assert assembler.in_hand <= 50
    assert assembler.given_up == 15
    assert assembler.resume_from(80) == 30
    whole = assembler.add(marker(39, sessions=2), 80)
    assert whole is not None


def test_a_version_that_waits_alone_is_never_too_large() -> None:
    """However low the bound: others give way to it, it is given whole, and the bound counts again."""
    assembler = SessionAssembler(hold=50)
    assembler.add(session(1), 0)
    for ordinal in range(60):
        assembler.add(session(99, ordinal), 1 + ordinal)
    assert (assembler.in_hand, assembler.given_up, assembler.resume_from(61)) == (60, 1, 1)
    whole = assembler.add(marker(99, sessions=60), 61)
    assert whole is not None
    assert [each.ordinal for each in whole.sessions] == list(range(60))
    assert assembler.in_hand == 0


def test_the_version_being_added_stays_though_it_began_first() -> None:
    """A meeting that began before a dead version is not given up for it."""
    assembler = SessionAssembler(hold=50)
    events = [session(1, ordinal) for ordinal in range(40)]
    events[20:20] = [session(2, ordinal) for ordinal in range(20)]
    for offset, event in enumerate(events):
        assembler.add(event, offset)
    assert assembler.add(marker(1, sessions=40), 60) is not None
    assert assembler.given_up == 1


@pytest.mark.parametrize("meetings", [[10_001], [7_000, 7_000], [30_000, 30_000]], ids=str)
def test_the_largest_meetings_are_given_whole(meetings: list[int]) -> None:
    """As Ringback publishes them: 500 pages of 60 sessions at most; and two of them one among the other."""
    assembler = SessionAssembler()
    longest = range(max(meetings))
    events = [session(call, ordinal) for ordinal in longest for call, size in enumerate(meetings) if ordinal < size]
    for offset, event in enumerate(events):
        assembler.add(event, offset)
    wholes = [assembler.add(marker(call, size), len(events) + call) for call, size in enumerate(meetings)]
    assert [whole and len(whole.sessions) for whole in wholes] == meetings
    assert assembler.given_up == 0


def test_a_call_forgotten_while_it_waits_is_counted() -> None:
    """Nothing is lost in silence: a memory too small for what waits shows."""
    assembler = SessionAssembler(remember=5)
    for call in range(8):
        assembler.add(session(call), call)
    assert (assembler.in_hand, assembler.given_up, assembler.resume_from(8)) == (5, 3, 3)


def test_a_marker_that_finds_sessions_missing_is_counted() -> None:
    """Once for each version, however often its marker comes, and not again where a bound had ended it."""
    assembler = SessionAssembler(span=100)
    for offset, event in enumerate([marker(1, sessions=2), session(2), marker(2, sessions=2), marker(2, sessions=2)]):
        assert assembler.add(event, offset) is None
    assert (assembler.short, assembler.given_up, assembler.resume_from(4)) == (2, 0, 4)
    for event in (session(2, 0), session(2, 1), marker(2, sessions=2)):
        whole = assembler.add(event, 5)
    assert whole is not None  # its publisher came back
    assembler.add(session(3), 10)
    assembler.add(session(4), 111)
    assembler.add(marker(3), 112)
    assert (assembler.short, assembler.given_up) == (2, 1)


def test_offsets_that_go_back_are_no_trap() -> None:
    """A client that seeks back: the lowest offset that waits is still the one to commit."""
    assembler = SessionAssembler()
    assembler.add(session(1), 50)
    assembler.add(session(2), 20)
    assert assembler.resume_from(51) == 20
    assembler.add(marker(2), 21)
    assert assembler.resume_from(22) == 50


@examples(100)
@given(
    st.lists(st.tuples(st.integers(0, 5), st.integers(1, 3), st.integers(0, 3)), max_size=60),
    st.integers(1, 6),
    st.integers(1, 30),
    st.integers(1, 8),
)
def test_bounds_hold_and_nothing_unwhole_is_given(
    events: list[tuple[int, int, int]], remember: int, span: int, hold: int
) -> None:
    """Whatever comes: no more in hand than `hold`, or one version; never further behind; what is given is whole."""
    assembler = SessionAssembler(remember, span=span, hold=hold)
    for offset, (call, version, ordinal) in enumerate(events):
        event = marker(call, 3, version) if ordinal == 3 else session(call, ordinal, version)
        whole = assembler.add(event, offset)
        assert assembler.in_hand <= max(hold, 3)
        assert offset - span <= assembler.resume_from(offset + 1) <= offset + 1
        if whole is not None:
            assert [(each.ordinal, each.version) for each in whole.sessions] == [
                (0, version),
                (1, version),
                (2, version),
            ]


@pytest.mark.parametrize("bounds", [{"remember": 0}, {"span": -1}, {"hold": 0}], ids=str)
def test_bounds_that_leave_no_room_are_refused(bounds: dict[str, int]) -> None:
    """A mistake in a setting shows at the start, not as versions that never become whole."""
    with pytest.raises(ValueError, match="at least"):
        SessionAssembler(**bounds)
