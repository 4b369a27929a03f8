"""I15 behind a backlog: neighbours in the live lane and in a retry lane, against their own time before it."""

from dataclasses import replace

import pytest
from ringback_faults.collect.sampling import gauges_in
from ringback_faults.contract import call_key, partition_of
from ringback_faults.ledgers import Act, Item, Key, Post, Sample, StoredVersion
from ringback_faults.oracle.behind import BACKLOG, CALM

from .conftest import FETCH, RETRY, TENANT, Story

SICK: Key = ("99999999-2222-3333-4444-555555555555", "bbbbbbbb-0000-0000-0000-000000000001")
PARTITION = partition_of(FETCH, call_key(TENANT, "any"))
BEGAN = 50.0
"""When the backlog had come and the enricher went on; the calm was from 10 on."""


class _Rows:
    """A story of neighbours alone: what the other classes say of it is not looked at."""

    def __init__(self) -> None:
        self.story = Story()
        self.story.acts = [
            Act(10.0, 20.0, CALM, "neighbours", {"sick": SICK[0]}),
            Act(BEGAN, 60.0, BACKLOG, "neighbours", {"sick": SICK[0], "held": 5.0}),
        ]
        self._number = 0

    def live(self, at: float, took: float, *, unknown: bool = False) -> None:
        """A neighbour accepted at that moment; Graph may not know it at first."""
        key = self._stored(at + took)
        self.story.posts.append(Post(at - 0.01, at, 1, 202, (Item("i", key, 1),)))
        self._put(FETCH, at, key)
        if unknown:
            self.story.expected = {key: self.story.expected[key]} if key in self.story.expected else {}
            self.story.notified(at)
            self.story.read(at, call_id=key[1], status=404, version=None)
            self.story.posts.pop()

    def retried(self, due: float, took: float, *, tenant: str = TENANT) -> None:
        """A request on a retry lane, due at that moment."""
        reported = {"ringback_reason": b"not_found", "ringback_due": str(int(due * 1000)).encode()}
        self._put(RETRY, due - 2, self._stored(due + took, tenant), **reported)

    def backlog(self, topic: str, count: int, **facts: int) -> None:
        """Requests of the sick tenant that came while the enricher was held still."""
        for _ in range(count):
            self._put(topic, 47.0, SICK)
            self.story.records[-1] = replace(self.story.records[-1], partition=facts.get("partition", PARTITION))

    def _stored(self, at: float, tenant: str = TENANT) -> Key:
        self._number += 1
        key = tenant, f"call-{self._number}"
        self.story.versions.append(StoredVersion(key, 1, 1, at))
        return key

    def _put(self, topic: str, at: float, key: Key, **headers: bytes) -> None:
        self.story.put(topic, at, b"{}", headers, key=key, partition=PARTITION)

    @property
    def said(self) -> list[str]:
        """What I15 says."""
        return [one for one in self.story.verdict().findings if one.startswith("I15")]


@pytest.fixture
def rows() -> _Rows:
    """Neighbours that are served within 0.2 s, before the backlog and behind it."""
    reported = _Rows()
    for at in (12.0, 52.0):
        reported.live(at, 0.2)
        reported.retried(at, 0.2)
    return reported


def test_neighbours_that_are_served_as_before_are_fine(rows: _Rows) -> None:
    """And counted, with their p99, on each lane and in each time."""
    assert rows.said == []
    figures = rows.story.verdict().figures
    for lane in ("live", "retry"):
        for what in (CALM, BACKLOG):
            assert figures[f"neighbours_{lane}_{what}"] == 1.0
            assert figures[f"p99_{lane}_{what}"] == pytest.approx(0.2)


@pytest.mark.parametrize(("took", "fine"), [(0.99, True), (1.01, False)])
def test_a_second_is_always_allowed_in_the_live_lane(rows: _Rows, took: float, *, fine: bool) -> None:
    """Five times the baseline, and nobody waits."""
    rows.live(53.0, took)
    assert (rows.said == []) is fine


@pytest.mark.parametrize(("took", "fine"), [(0.99, True), (1.01, False)])
def test_a_second_is_always_allowed_in_a_retry_lane(rows: _Rows, took: float, *, fine: bool) -> None:
    """From the moment it was due, two seconds after it was written."""
    rows.retried(53.0, took)
    assert (rows.said == []) is fine


@pytest.mark.parametrize(("took", "fine"), [(3.9, True), (4.1, False)])
def test_twice_a_slow_baseline_is_allowed(rows: _Rows, took: float, *, fine: bool) -> None:
    """A machine that takes two seconds for it anyway."""
    rows.live(13.0, 2.0)
    rows.live(53.0, took)
    assert (rows.said == []) is fine


@pytest.mark.parametrize("at", [12.0, 52.0], ids=[CALM, BACKLOG])
@pytest.mark.parametrize("lane", ["live", "retry"])
def test_without_neighbours_nothing_is_proven(lane: str, at: float) -> None:
    """Of either lane, before the backlog or behind it."""
    rows = _Rows()
    for moment in (12.0, 52.0):
        if (lane, moment) != ("live", at):
            rows.live(moment, 0.2)
        if (lane, moment) != ("retry", at):
            rows.retried(moment, 0.2)
    assert rows.said == [f"I15: there was no neighbour in the {lane} lane, before the backlog or behind it"]


def test_a_row_without_a_backlog_says_nothing_of_it(rows: _Rows) -> None:
    """Nor has it any of the figures."""
    rows.live(53.0, 9.0)
    rows.story.acts.pop()
    assert rows.said == []
    assert not [name for name in rows.story.verdict().figures if name.startswith("neighbours_")]


def test_the_sick_and_who_comes_after_the_fault_are_no_neighbours(rows: _Rows) -> None:
    """And who waits for Graph to know the call is timed by the retry lane."""
    rows.retried(53.0, 9.0, tenant=SICK[0])
    rows.live(60.1, 9.0)
    rows.live(53.0, 9.0, unknown=True)
    assert rows.said == []


def test_a_neighbour_that_was_never_stored_waited_to_the_end(rows: _Rows) -> None:
    """The loss itself is another class's."""
    rows.live(53.0, 0.2)
    rows.story.versions.pop()
    assert "is 57.00 s, 1.00 s may be" in rows.said[0]


def test_only_what_lies_before_the_first_neighbour_in_its_partition_is_ahead() -> None:
    """A backlog in another partition proves nothing, nor does what comes behind."""
    rows = _Rows()
    rows.backlog(FETCH, 3)
    rows.backlog(FETCH, 4, partition=PARTITION + 1)
    rows.backlog(RETRY, 5)
    rows.live(52.0, 0.2)
    rows.retried(54.0, 0.2)
    rows.backlog(FETCH, 6)
    evidence = rows.story.verdict().evidence
    assert (evidence["ahead_live"], evidence["ahead_retry"]) == (3.0, 5.0)


def test_the_share_of_its_budget_is_that_of_the_sick_while_its_backlog_lasts(rows: _Rows) -> None:
    """300 of 1,500 requests within 20 s; neither a neighbour's nor an earlier one counts."""
    rows.story.notified(BEGAN)
    for at, tenant, times in ((BEGAN + 1, SICK[0], 300), (BEGAN + 1, TENANT, 500), (30.0, SICK[0], 700)):
        for _ in range(times):
            rows.story.read(at, tenant_id=tenant)
    assert rows.story.verdict().evidence["most_of_budget"] == pytest.approx(0.2)


@pytest.mark.parametrize(("at", "seconds", "said"), [(52.0, 9.0, []), (52.0, 11.0, ["11"]), (40.0, 11.0, [])])
def test_no_request_stays_in_hand_behind_a_backlog(rows: _Rows, at: float, seconds: float, said: list[str]) -> None:
    """By the enricher's gauge while the backlog lies ahead; the store may wait as long as it likes."""
    gauges = gauges_in(f'ringback_stream_oldest_in_hand_seconds{{group="g"}} {seconds}\n')
    rows.story.samples = [Sample(at, "enricher", 7, 1, 1, gauges)]
    rows.story.samples.append(Sample(52.0, "store", 8, 1, 1, dict.fromkeys(gauges, 99.0)))
    assert rows.said == [f"I15: a request was in hand for {each} s, 10 s may be" for each in said]
