"""Budgets in sliding windows, and who broke a pause."""

from hypothesis import given
from hypothesis import strategies as st
from ringback_graph_simulator.throttle import LIMITS, Pauses, SlidingWindow, Throttle

from .conftest import TENANT, Lab


@given(st.lists(st.floats(0, 3), max_size=60), st.integers(1, 5))
def test_no_window_admits_more_than_its_limit(gaps: list[float], limit: int) -> None:
    """Whatever the rhythm, the requests admitted within any ten seconds are at most the limit."""
    window, now, admitted = SlidingWindow(limit, 10.0), 0.0, list[float]()
    for gap in gaps:
        now += gap
        if window.hit(now) is None:
            admitted.append(now)
    for begin in admitted:
        assert sum(begin <= at < begin + 10 for at in admitted) <= limit


@given(st.integers(1, 20), st.floats(0, 9))
def test_who_waits_as_told_is_admitted(limit: int, spread: float) -> None:
    """After Retry-After has passed, the next request is within the limit."""
    window = SlidingWindow(limit, 10.0)
    for number in range(limit):
        assert window.hit(spread * number / limit) is None
    wait = window.hit(spread)
    assert wait is not None
    assert window.hit(spread + wait) is None


def test_scopes_are_those_that_graph_documents() -> None:
    """Per record 40 and per app and tenant 1,500 requests in 20 s; a record's refusal leaves other records alone."""
    throttle = Throttle()
    assert (LIMITS["record"], LIMITS["appTenant"], LIMITS["list"]) == ((40, 20.0), (1_500, 20.0), (40, 20.0))
    for _ in range(40):
        assert throttle.check({"appTenant": "t|a", "record": "t|1"}, 0.0) is None
    refused = throttle.check({"appTenant": "t|a", "record": "t|1"}, 0.0)
    assert refused is not None
    assert (refused.scope, refused.retry_after) == ("record", 20)
    assert throttle.check({"appTenant": "t|a", "record": "t|2"}, 0.0) is None


_SCOPES = [("appTenant", "t"), ("record", "t|1")]


def test_a_request_inside_a_pause_is_seen() -> None:
    """Requests under way when the 429 leaves are no offence, later ones are, those after the wait are not."""
    pauses = Pauses()
    pauses.begin(("appTenant", "t"), 100.0, "5", "c1")
    moments = (100.8, 101.0, 104.9, 105.1)
    assert [pauses.inside(_SCOPES, at, "c1") for at in moments] == [False, True, True, False]
    assert not pauses.inside([("appTenant", "other")], 102.0, "c1")


def test_a_client_is_told_when_it_uses_the_connection_again() -> None:
    """Other connections may carry what was sent before; not once the first has been used, nor two seconds later."""
    pauses = Pauses()
    pauses.begin(("appTenant", "t"), 100.0, "5", "c1")
    assert [pauses.inside(_SCOPES, 101.6, "c2"), pauses.inside(_SCOPES, 101.7, "c1")] == [False, True]
    assert pauses.inside(_SCOPES, 101.8, "c2")
    pauses.begin(("record", "t|1"), 200.0, "5", "c1")
    assert [pauses.inside(_SCOPES, at, "c2") for at in (201.9, 202.1, 205.1)] == [False, True, False]


def test_a_longer_pause_takes_the_place_of_a_shorter() -> None:
    """A second 429 over another connection: both tell the client, and the later end counts."""
    pauses = Pauses()
    pauses.begin(("appTenant", "t"), 100.0, "2", "c1")
    pauses.begin(("appTenant", "t"), 100.1, "9", "c2")
    assert pauses.inside(_SCOPES, 103.0, "c3")
    assert not pauses.inside(_SCOPES, 109.2, "c2")


def test_what_began_before_the_last_answer_may_come_for_a_second() -> None:
    """The answers to sixty requests leave one after the other; so do the handshakes of those that are not read yet."""
    pauses = Pauses()
    pauses.begin(("appTenant", "t"), 100.0, "5", "c1")
    pauses.begin(("appTenant", "t"), 100.8, "5", "c2")
    assert [pauses.inside(_SCOPES, at, "c1") for at in (101.6, 101.8)] == [False, True]


def test_whoever_asks_on_and_on_is_seen() -> None:
    """Its own later answers excuse nothing."""
    pauses = Pauses()
    for tenth in range(50):
        pauses.begin(("appTenant", "t"), 100.0 + tenth / 10, "5", "c1")
    assert [pauses.inside(_SCOPES, at, "c1") for at in (101.7, 101.9)] == [False, True]


async def test_a_record_read_too_often_is_throttled_and_the_ledger_tells(lab: Lab) -> None:
    """The 41st request of one record within 20 s gets 429; asking again before Retry-After is noted as impolite."""
    call = await lab.call()
    path = f"communications/callRecords/{call['callId']}?$select=id"
    statuses = [(await lab.graph("GET", path)).status for _ in range(40)]
    refused = await lab.graph("GET", path)
    assert set(statuses) == {200}
    assert refused.status == 429
    assert 1 <= int(refused.headers["Retry-After"]) <= 20

    async def impolite() -> bool:
        await lab.graph("GET", path)
        return (await lab.control("GET", "state"))["requests"]["insideRetryAfter"] > 0

    await lab.until(impolite)
    lines = [line for line in await lab.ledger("request") if line["status"] == 429]
    assert (lines[0]["overBudget"], lines[0]["tenantId"]) == ("record", TENANT)
