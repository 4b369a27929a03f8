"""Whether a fault struck: figures that an act cannot make of itself."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from ringback_faults.ledgers import Act
from ringback_faults.oracle.index import ENRICHER, SINK

from .conftest import FETCH, RECORDS, RETRY, Story


def test_a_fault_of_graphs_that_struck_nothing_is_idle(story: Story) -> None:
    """It is told by its id in the ledger of requests, or by its own count where that ledger tells none."""
    story.acts.append(Act(100.0, 100.0, "graph fault", "records", {"fault": "f1"}))
    assert story.verdict().evidence["graph_faults_idle"] == 1
    assert story.verdict(at_most={"graph_faults_idle": 0}).excess
    story.requests[0] = replace(story.requests[0], fault="f1")
    assert story.verdict().evidence["graph_faults_idle"] == 0
    story.acts.append(Act(100.0, 101.0, "graph fault", "token", {"fault": "f2", "fired": 0.0}))
    assert story.verdict().evidence["graph_faults_idle"] == 1
    story.acts[-1] = Act(100.0, 101.0, "graph fault", "token", {"fault": "f2", "fired": 3.0})
    assert story.verdict().evidence["graph_faults_idle"] == 0


@pytest.mark.parametrize(
    ("process", "peer"),
    [("webhook", "broker"), ("enricher", "graph"), ("enricher", "broker"), ("store", "broker"), ("store", "database")],
)
def test_what_crosses_a_cut_is_counted(story: Story, process: str, peer: str) -> None:
    """Each effect of the story falls into the time of the cut, but not into its first moments."""
    story.committed(100.35)
    cut = Act(98.0, 104.0, "cut", process, {"peer": peer})
    story.acts.append(cut)
    assert story.verdict().evidence["cut_crossed"] > 0
    story.acts[0] = replace(cut, at=100.0 - 0.9)
    assert story.verdict().evidence["cut_crossed"] == 0
    story.acts[0] = replace(cut, end=99.0)
    assert story.verdict().evidence["cut_crossed"] == 0


def test_commits_are_of_the_group_that_was_cut_off(story: Story) -> None:
    """The store goes on while the enricher is cut off."""
    assert {commit.group for commit in story.commits} == {ENRICHER, SINK}
    story.commits = [commit for commit in story.commits if commit.group == SINK]
    story.acts.append(Act(90.0, 120.0, "cut", "enricher", {"peer": "broker"}))
    assert story.verdict().evidence["cut_crossed"] == 0


def test_the_keeper_proves_its_ownership_while_the_store_is_cut_off(story: Story) -> None:
    """It commits every few seconds; what the store commits has two groups."""
    story.acts.append(Act(90.0, 120.0, "cut", "store", {"peer": "broker"}))
    of_the_store = [commit for commit in story.commits if commit.group == SINK]
    story.commits = [replace(commit, group="ringback-keeper") for commit in of_the_store]
    assert story.verdict().evidence["cut_crossed"] == 0
    story.commits = [replace(commit, group=f"{SINK}-operations") for commit in of_the_store]
    assert story.verdict().evidence["cut_crossed"] > 0


def test_the_slowest_end_is_of_those_told_to_stop(story: Story) -> None:
    """Not the sum."""
    story.acts += [Act(100.0, 101.0, "terminate", "store", {"seconds": took, "exit_code": 0.0}) for took in (3.0, 4.0)]
    assert story.verdict().evidence["terminate_slowest"] == 4.0


def test_what_piled_up_before_a_frozen_process(story: Story) -> None:
    """Bytes of records that were appended meanwhile."""
    size = sum(record.size for record in story.records if record.topic == RECORDS)
    story.acts.append(Act(100.05, 100.15, "freeze", "store"))
    assert story.verdict().evidence["freeze_bytes"] == size > 0
    story.acts[0] = Act(101.0, 102.0, "freeze", "store")
    assert story.verdict().evidence["freeze_bytes"] == 0


def test_clocks_are_judged_by_what_was_written_with_them(story: Story) -> None:
    """A webhook ten minutes behind; a request put off by a clock three hours ahead; poison that tells no time."""
    behind = datetime.fromtimestamp(100.0 - 600, UTC).isoformat()
    story.put(FETCH, 100.0, b"{}", {"ce_id": f"call:webhook:{behind}".encode()})
    story.put(FETCH, 100.0, b"{}", {"ce_id": b"call:webhook:\xff"})
    story.put(RETRY, 100.0, b"{}", {"ringback_due": str(int((100.0 + 10_800) * 1000)).encode()})
    seen = story.verdict().evidence
    assert seen["clock_error"] == pytest.approx(600)
    assert seen["due_ahead"] == pytest.approx(10_800)
