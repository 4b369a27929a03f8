"""Logs that do not hold what was to be read: what that excuses, by item and by partition, and what it does not."""

from dataclasses import replace
from pathlib import Path

import pytest
from ringback_faults.ledgers import Act, TopicRecord
from ringback_faults.oracle import check
from ringback_faults.oracle.index import ENRICHER, SINK, place_of
from ringback_faults.row import Row, read_rows

from .conftest import FETCH, RECORDS, Story

ROWS = [row for row in read_rows(Path(__file__).parents[3] / "tests/fault/rows") if row.row in {"R49", "R50", "R51"}]
LOST = {"I2", "I12", "I14"}


def asked_in_vain(story: Story, at: float, version: int) -> TopicRecord:
    """An accepted item whose request the group has passed, and nothing came of it."""
    story.notified(at, version=version)
    request = story.asked(at + 0.01, value=str(version).encode())
    story.committed(at + 0.3)
    return request


def test_what_was_removed_unread_is_no_loss_of_the_service_s(story: Story) -> None:
    """Neither the item, nor the record, nor the commit past it; without the removal it is all three."""
    request = asked_in_vain(story, 103.0, 2)
    assert story.broken() == LOST
    assert story.verdict().evidence["removed_items"] == 0
    story.removed = frozenset({place_of(request)})
    assert story.broken() == set()
    assert story.verdict().evidence["removed_items"] == 1


def test_a_removed_request_accounts_for_no_other_item_of_its_call(story: Story) -> None:
    """One was removed, the next one was not."""
    story.removed = frozenset({place_of(asked_in_vain(story, 103.0, 2))})
    asked_in_vain(story, 104.0, 3)
    assert story.broken() == LOST


@pytest.mark.parametrize("removed", [1, 2])
def test_of_requests_that_may_be_each_other_s_all_must_be_removed(story: Story, removed: int) -> None:
    """Two POSTs at the same time; which record is whose nobody can tell."""
    story.notified(103.0, version=2)
    story.notified(103.0, version=2)
    requests = [story.asked(103.01, value=b"2"), story.asked(103.01, value=b"other 2")]
    story.committed(103.3)
    story.removed = frozenset(map(place_of, requests[:removed]))
    assert story.broken() == (LOST if removed < len(requests) else set())


def test_a_removed_place_is_of_its_own_topic_and_partition(story: Story) -> None:
    """The same offset elsewhere is another record."""
    topic, partition, offset = place_of(asked_in_vain(story, 103.0, 2))
    story.removed = frozenset({(topic, partition + 1, offset)})
    assert story.broken() == LOST


def set_by_the_harness(written: float, group: str = ENRICHER, what: str = "set offsets") -> Act:
    """Offsets of a group were set, while its member was away for two seconds."""
    return Act(written - 1, written + 1, what, "enricher", {"group": group, "written": str(written)})


def back(story: Story, at: float) -> None:
    """The enricher commits the beginning of the request's log, then its end again."""
    commit = next(one for one in story.commits if one.group == ENRICHER)
    story.commits += [replace(commit, at=at, offset=0), replace(commit, at=at + 0.1)]


def test_a_commit_that_goes_back_is_unsafe(story: Story) -> None:
    """Nobody set the offset."""
    back(story, 103.0)
    assert story.broken() == {"I12"}
    assert story.verdict().evidence["commits_back"] == 1


@pytest.mark.parametrize("what", ["set offsets", "reset offsets"])
@pytest.mark.parametrize(("times", "broken"), [(1, set[str]()), (2, {"I12"})])
def test_an_offset_that_was_set_excuses_the_next_commit(story: Story, what: str, times: int, broken: set[str]) -> None:
    """The log is begun anew once; a second time it is the service that goes back."""
    story.acts.append(set_by_the_harness(102.0, what=what))
    for number in range(times):
        back(story, 103.0 + number)
    assert story.broken() == broken


def test_a_commit_that_goes_back_after_one_that_did_not_is_unsafe(story: Story) -> None:
    """What follows upon the offset that was set went on; going back later is the service's own doing."""
    story.acts.append(set_by_the_harness(102.0))
    commit = next(one for one in story.commits if one.group == ENRICHER)
    story.commits.append(replace(commit, at=103.0))
    back(story, 104.0)
    assert story.broken() == {"I12"}


@pytest.mark.parametrize(
    "act", [set_by_the_harness(102.0, SINK), set_by_the_harness(103.05), set_by_the_harness(100.1)]
)
def test_another_group_s_offset_and_another_moment_excuse_nothing(story: Story, act: Act) -> None:
    """Written before the earlier of the two commits, or after the later one, though the act lasted longer."""
    story.acts.append(act)
    back(story, 103.0)
    assert story.broken() == {"I12"}


def test_what_was_published_again_is_a_figure(story: Story) -> None:
    """Whether it was allowed to be or not."""
    assert story.verdict().evidence["published_again"] == 0
    story.published(104.0)
    assert story.verdict(repeats="any").evidence["published_again"] == 1


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.row)
def test_a_row_whose_logs_were_left_alone_fails_for_its_evidence(story: Story, row: Row) -> None:
    """Each figure that it demands, and each that it bounds, is missing of a run in which nothing happened."""
    verdict = check(story.ledgers(), row.expect, row.judged)
    assert len(verdict.missing) == len(row.expect.evidence)
    assert len(verdict.excess) == len(row.expect.at_most)
    assert not verdict.clean


def test_the_three_rows_are_there() -> None:
    """Otherwise the test above looked at nothing."""
    assert [row.row for row in ROWS] == ["R49", "R50", "R51"]


def test_records_after_the_last_time_a_topic_was_made_are_evidence(story: Story) -> None:
    """Of the topic that has the fewest; without any such topic there is no evidence."""
    assert story.verdict().evidence["records_anew"] == 0
    story.acts += [Act(at, at + 1, "make topic", topic) for topic in (FETCH, RECORDS) for at in (90.0, 92.0)]
    assert story.verdict().evidence["records_anew"] == 1
    story.acts.append(Act(100.0, 100.02, "make topic", FETCH))
    assert story.verdict().evidence["records_anew"] == 0, "the request came before the topic was there"
