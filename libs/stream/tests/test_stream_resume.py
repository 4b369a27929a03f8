"""A log that does not hold what is to be read next: where reading goes on, and what a commit may say from then on."""

from collections.abc import Sequence

import pytest
from aiokafka import TopicPartition
from ringback_common.clock import SystemClock
from ringback_events.topics import FETCH
from ringback_stream.consume.assignment import Assignment
from ringback_stream.consume.offsets import OffsetTracker, OffsetTrackers, TakeResult
from ringback_stream.consume.partitions import Partition

SICK, OTHER = Partition(FETCH.name, 0), Partition(FETCH.name, 1)


def taken(marks: OffsetTrackers, partition: Partition, offsets: Sequence[int]) -> OffsetTracker:
    """The watermark that has taken these."""
    tracker = marks.of(partition)
    assert tracker is not None
    assert [tracker.take(offset) for offset in offsets] == [TakeResult.TAKEN] * len(offsets)
    return tracker


@pytest.mark.parametrize("oldest", [0, 7, 99])
def test_a_log_that_ends_below_the_head_is_begun_anew(oldest: int) -> None:
    """Its oldest record is next, and that is committed at once: what the broker has would skip the new records."""
    marks = OffsetTrackers()
    marks.assign({SICK: 100, OTHER: 100})
    assert marks.resume(SICK, oldest) is None
    assert marks.committable() == {SICK: oldest}
    assert marks.positions() == {SICK: oldest, OTHER: 100}


def test_work_of_the_old_log_finishes_nothing_in_the_new_one_and_neighbours_go_on() -> None:
    """Though both have a record at that offset."""
    marks = OffsetTrackers()
    marks.assign({SICK: 0, OTHER: 0})
    taken(marks, SICK, [0, 1])
    taken(marks, OTHER, [0])
    old, new_log_has_it_too = marks.ticket(SICK, 1), marks.ticket(SICK, 0)
    healthy = marks.ticket(OTHER, 0)
    marks.resume(SICK, 0)
    taken(marks, SICK, [0])
    assert not marks.finish(old)
    assert not marks.finish(new_log_has_it_too)
    assert not marks.is_out_of_order(old)
    assert marks.finish(healthy)
    assert marks.finish(marks.ticket(SICK, 0))
    assert marks.committable() == {SICK: 1, OTHER: 1}


def test_records_that_retention_removed_are_counted_and_work_in_hand_goes_on() -> None:
    """What was taken below them is still finished first."""
    marks = OffsetTrackers()
    marks.assign({SICK: 3})
    taken(marks, SICK, [3])
    ticket = marks.ticket(SICK, 3)
    assert marks.resume(SICK, 10) == 6
    assert marks.committable() == {}
    assert marks.finish(ticket)
    assert marks.committable() == {SICK: 10}
    assert marks.resume(SICK, 10) == 0


def test_an_acceptance_that_comes_after_the_restart_is_about_the_old_log() -> None:
    """Else the partition would count as committed at an offset that its log does not have."""
    marks = OffsetTrackers()
    epoch = marks.assign({SICK: 100})
    marks.resume(SICK, 0)
    assert not marks.accepted(epoch, {SICK: 100})
    assert marks.committable() == {SICK: 0}


class Broker:
    """Takes commits."""

    def __init__(self) -> None:
        self.commits: list[dict[TopicPartition, int]] = []

    async def commit(self, offsets: dict[TopicPartition, int]) -> None:
        """Note it."""
        self.commits.append(offsets)


async def test_the_commit_goes_back_once() -> None:
    """To where the log begins, and never again."""
    assignment, broker = Assignment("group", SystemClock(), str, lambda: None), Broker()
    assignment.begin({SICK: 100})
    assert assignment.resume(SICK, 5)
    for _ in range(2):
        await assignment.commit(broker)
    assert broker.commits == [{TopicPartition(SICK.topic, SICK.number): 5}]


def test_a_partition_that_is_no_longer_assigned_is_left_alone() -> None:
    """The member that has it now finds out."""
    assignment = Assignment("group", SystemClock(), str, lambda: None)
    assignment.begin({OTHER: 0})
    assert not assignment.resume(SICK, 5)
    assert not assignment.resume(OTHER, 0)
