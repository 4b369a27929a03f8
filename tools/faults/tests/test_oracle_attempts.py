"""I7 and I15: nothing is tried for ever, and neighbours are served while a fault lasts."""

from dataclasses import replace
from typing import Any

import pytest
from ringback_faults.ledgers import Act, Request
from ringback_faults.oracle.neighbours import CALLS

from .conftest import KEY, RETRY, TENANT, Story

OTHER = "99999999-2222-3333-4444-555555555555"


def _fails(story: Story, times: int, *, status: int = 500, others: int = 4) -> None:
    """The call is asked for so often and Graph fails it, each time after it has served so many others."""
    for number in range(times):
        at = 100.02 + len(story.requests) / 10_000
        failed = replace(story.requests[0], at=at, end=at, status=status, version=None)
        served = [
            replace(failed, at=at, end=at + 1e-5 * (other + 1), call_id=f"{number} {other}", status=200)
            for other in range(others)
        ]
        story.requests += [failed, *served]


@pytest.mark.parametrize(("times", "broken"), [(4, set[str]()), (5, {"I7"})])
def test_a_record_that_alone_fails_is_not_tried_in_place_for_ever(story: Story, times: int, broken: set[str]) -> None:
    """M23: four tries in place, then it is put off; time-outs count like a 500."""
    _fails(story, times, status=0 if times == 5 else 500)
    assert story.broken() == broken


def test_each_time_it_is_taken_in_it_may_be_tried_again(story: Story) -> None:
    """Put off and come back: four more."""
    story.asked(100.011, topic=RETRY, ringback_attempt=b"1", ringback_reason=b"upstream_error")
    story.committed(100.3)
    _fails(story, 8)
    assert story.broken() == set()
    _fails(story, 1)
    assert story.broken() == {"I7"}


def test_a_graph_that_fails_many_calls_does_not_fail_this_one_alone(story: Story) -> None:
    """Four of seven answers are a 503: the breaker is not closed for long, and no failure is held against a call."""
    for number in range(20):
        _fails(story, 1)
        story.requests += [replace(story.requests[-5], call_id=f"fails {number} {other}") for other in range(3)]
    assert story.broken() == set()


def test_large_meetings_that_fail_at_their_last_page_are_a_graph_that_fails(story: Story) -> None:
    """Most requests are answered, and most reads are not: the breaker is open."""
    for number in range(20):
        _fails(story, 1)
        first = replace(story.requests[-5], status=200, call_id=f"meeting {number}")
        pages = [replace(first, route="sessions", page=page) for page in range(2, 10)]
        for other in range(3):
            read = [first, *pages, replace(first, route="participants", status=502)]
            story.requests += [replace(each, call_id=f"{each.call_id} {other}") for each in read]
    assert story.broken() == set()


def test_an_answer_that_was_spoilt_is_a_failure_too(story: Story) -> None:
    """Cut off in the middle: the ledger says 200, the reader got nothing."""
    for number in range(20):
        _fails(story, 1)
        spoilt = replace(story.requests[-5], status=200, fault="f1")
        story.requests += [replace(spoilt, call_id=f"spoilt {number} {other}") for other in range(3)]
    assert story.broken() == set()


def test_a_tenant_that_may_be_silent_is_asked_out_of_turn(story: Story) -> None:
    """Five of its calls failed one after the other: asking for the last of them again is no fifth try of that call.

    Another tenant is served all the time, so Graph itself is well.
    """
    _fails(story, 3)
    call, at = story.requests[0], story.requests[-1].end

    def add(number: int, *requests: Request) -> None:
        begin = at + number * 1e-4
        elsewhere = replace(call, tenant_id=OTHER)
        served = [replace(elsewhere, end=begin + n * 1e-6, call_id=f"{number} {n}") for n in range(20)]
        story.requests.extend([*served, *(replace(request, end=begin + 5e-5) for request in requests)])

    failing = replace(call, status=503, version=None)
    for number in range(4):
        add(number, replace(failing, call_id=f"fails {number}"))
    add(4, failing)  # the fourth try
    add(5, failing)  # out of turn
    assert story.broken() == set()
    add(6, replace(call, call_id="answered"))
    add(7, failing)
    assert story.broken() == {"I7"}


def test_a_graph_that_is_away_is_asked_until_it_is_back(story: Story) -> None:
    """No other call is served in between: after the first failures none is a lone one, and probes have no end."""
    _fails(story, 3)
    _fails(story, 20, others=0)
    assert story.broken() == set()


def test_who_was_killed_does_not_know_how_often_it_tried(story: Story) -> None:
    """The next process begins to count anew."""
    _fails(story, 8)
    assert story.broken() == {"I7"}
    story.acts.append(Act(100.01, 101.0, "kill", "enricher"))
    assert story.broken() == set()


@pytest.mark.parametrize(
    ("reason", "most"),
    [
        (b"not_found", 6),
        (b"version_behind", 3),
        (b"sessions_missing", 3),
        (b"unknown_tenant", 5),
        (b"upstream_error", 28),
    ],
)
def test_a_request_goes_round_as_often_as_its_reason_deserves(story: Story, reason: bytes, most: int) -> None:
    """Then it has to be a dead letter."""
    for number in range(most):
        story.asked(100.02 + number / 1000, topic=RETRY, ringback_reason=reason)
    story.committed(100.3)
    assert story.broken() == set()
    story.asked(100.049, topic=RETRY, ringback_reason=reason)
    story.committed(100.3)
    assert story.broken() == {"I7"}


def test_a_tenant_s_pause_is_no_look(story: Story) -> None:
    """It lasts as long as it lasts."""
    for number in range(40):
        story.asked(100.02 + number / 2000, topic=RETRY, ringback_reason=b"tenant_paused")
    story.committed(100.3)
    assert story.broken() == set()


def _waits(story: Story, concerns: str | None, **expect: Any) -> tuple[set[str], dict[str, float]]:
    """A fault from 99.9 to 105; the story's item was accepted at 100.02 and stored at 100.2."""
    detail = {} if concerns is None else {"concerns": concerns}
    story.acts = [Act(99.9, 105.0, "graph fault", "records", detail)]
    figures = story.verdict(**expect).figures
    return story.broken(**expect), {name: figures[name] for name in figures if name.startswith("neighbour")}


def test_a_neighbour_s_time_from_the_acceptance_to_the_store_is_bounded(story: Story) -> None:
    """0.18 s while another tenant is sick, or another call of this one."""
    for concerns in (OTHER, CALLS):
        broken, figures = _waits(story, concerns, neighbour_seconds=0.1)
        assert broken == {"I15"}
        assert figures == {"neighbours": 1.0, "neighbour_p99_seconds": pytest.approx(0.18)}
        assert _waits(story, concerns, neighbour_seconds=0.2)[0] == set()
        assert _waits(story, concerns)[0] == set()


def test_the_sick_are_no_neighbours(story: Story) -> None:
    """Neither the tenant that the fault strikes, nor a call that Graph failed or garbled."""
    assert _waits(story, TENANT)[1] == {}
    assert _waits(story, None)[1] == {}
    served = story.requests[0]
    for sick in (replace(served, status=404, version=None), replace(served, fault="f1")):
        story.requests[0] = sick
        assert _waits(story, CALLS)[1] == {}


def test_who_comes_before_or_after_the_fault_is_no_neighbour(story: Story) -> None:
    """And a row that is there for neighbours has to have some."""
    story.acts = [Act(100.5, 105.0, "graph fault", "records", {"concerns": OTHER})]
    verdict = story.verdict(("I15",), neighbour_seconds=0.1)
    assert verdict.missing == ("Nothing was there to be judged by I15.",)


def test_a_neighbour_that_was_never_stored_waited_to_the_end(story: Story) -> None:
    """The loss itself is another class's."""
    story.versions.clear()
    assert _waits(story, OTHER)[1]["neighbour_p99_seconds"] == pytest.approx(110.0 - 100.02)
    assert KEY in story.expected
