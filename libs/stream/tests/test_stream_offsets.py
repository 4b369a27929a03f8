"""The watermarks against a model that is too simple to be wrong: the set of unfinished offsets."""

from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from ringback_stream.consume.offsets import OffsetTracker, OffsetTrackers, TakeResult, Ticket
from ringback_stream.consume.partitions import Partition

PARTITIONS = (Partition("callrecords.internal.fetch.v1", 0), Partition("callrecords.internal.fetch.v1", 1))


@dataclass
class Model:
    """One partition of one assignment, spelled out."""

    start: int
    next_offset: int
    unfinished: set[int] = field(default_factory=set[int])
    deferred_early: set[int] = field(default_factory=set[int])
    doubted: int | None = None
    """The offset whose jump was seen once since the last record was taken, or the log was resumed."""

    def answer(self, offset: int) -> TakeResult:
        """What an offered record has to become."""
        if offset < self.next_offset:
            return TakeResult.REPEAT
        return TakeResult.TAKEN if offset in {self.next_offset, self.doubted} else TakeResult.GAP

    @property
    def tracker(self) -> int:
        """Everything below it is finished."""
        return min(self.unfinished, default=self.next_offset)


class OffsetTrackerMachine(RuleBasedStateMachine):
    """Take, finish, commit, revoke and lose in any order; commit answers come late and out of order."""

    def __init__(self) -> None:
        super().__init__()
        self.trackers = OffsetTrackers()
        self.model: dict[Partition, Model] = {}
        self.tickets: list[Ticket] = []
        self.old_tickets: list[Ticket] = []
        self.answers: list[tuple[int, dict[Partition, int]]] = []
        self.broker: dict[Partition, int] = dict.fromkeys(PARTITIONS, 0)
        self.begun_anew: set[Partition] = set()
        """Whose next commit goes back: it has not been sent yet."""

    @rule(count=st.integers(1, len(PARTITIONS)))
    def assign(self, count: int) -> None:
        """Begin an assignment where the broker says."""
        starts = {partition: self.broker[partition] for partition in PARTITIONS[:count]}
        self.trackers.assign(starts)
        self.model = {partition: Model(start, start) for partition, start in starts.items()}
        self.begun_anew.clear()
        self.old_tickets += self.tickets
        self.tickets = []

    @rule()
    def drop(self) -> None:
        """Revoked or lost."""
        self.trackers.drop()
        self.model = {}
        self.old_tickets += self.tickets
        self.tickets = []

    @precondition(lambda self: self.model)
    @rule(data=st.data(), ahead=st.integers(-3, 3), deferred_early=st.booleans())
    def take(self, data: st.DataObject, ahead: int, *, deferred_early: bool) -> None:
        """Offer a record at, below or beyond the head."""
        partition = data.draw(st.sampled_from(sorted(self.model)))
        model = self.model[partition]
        offset = max(0, model.next_offset + ahead)
        tracker = self.trackers.of(partition)
        assert tracker is not None
        taken = tracker.take(offset, deferred_early=deferred_early)
        assert taken is model.answer(offset)
        if taken is TakeResult.TAKEN:
            model.unfinished.add(offset)
            model.deferred_early |= {offset} if deferred_early else set()
            model.next_offset, model.doubted = offset + 1, None
            self.tickets.append(self.trackers.ticket(partition, offset))
        elif taken is TakeResult.GAP:
            model.doubted = offset

    @precondition(lambda self: self.model)
    @rule(data=st.data(), distance=st.integers(-5, 5))
    def resume(self, data: st.DataObject, distance: int) -> None:
        """The log does not hold the head: it begins above it, or ends below it."""
        partition = data.draw(st.sampled_from(sorted(self.model)))
        model, mine = self.model[partition], [each for each in self.tickets if each.partition == partition]
        oldest = max(0, model.next_offset + distance)
        removed = self.trackers.resume(partition, oldest)
        if oldest < model.next_offset:
            assert removed is None
            self.old_tickets += mine
            self.tickets = [each for each in self.tickets if each.partition != partition]
            self.model[partition] = Model(oldest, oldest)
            self.begun_anew.add(partition)
            assert self.trackers.committable()[partition] == oldest
        else:
            assert removed == oldest - model.next_offset
            model.next_offset, model.doubted = oldest, None

    @precondition(lambda self: self.tickets)
    @rule(data=st.data())
    def finish(self, data: st.DataObject) -> None:
        """Finish any taken record."""
        ticket = self.tickets.pop(data.draw(st.integers(0, len(self.tickets) - 1)))
        assert self.trackers.finish(ticket)
        self.model[ticket.partition].unfinished.remove(ticket.offset)

    @precondition(lambda self: self.old_tickets)
    @rule(data=st.data())
    def finish_late(self, data: st.DataObject) -> None:
        """Work of an assignment that is over finishes nothing."""
        ticket = data.draw(st.sampled_from(self.old_tickets))
        assert not self.trackers.finish(ticket)

    @rule()
    def send_commit(self) -> None:
        """Send what is committable; the broker takes it, its answer is under way."""
        offsets = self.trackers.committable()
        for partition, offset in offsets.items():
            assert offset >= self.broker[partition] or partition in self.begun_anew
            self.begun_anew.discard(partition)
            self.broker[partition] = offset
        self.answers.append((self.trackers.epoch, offsets))

    @precondition(lambda self: self.answers)
    @rule(data=st.data())
    def answer_commit(self, data: st.DataObject) -> None:
        """Answers may come in any order, some after their assignment."""
        epoch, offsets = self.answers.pop(data.draw(st.integers(0, len(self.answers) - 1)))
        assert self.trackers.accepted(epoch, offsets) is (epoch == self.trackers.epoch)

    @invariant()
    def commits_never_exceed_the_lowest_unfinished(self) -> None:
        """The promise: whatever is unfinished is at or above what was committed to the broker."""
        for partition, model in self.model.items():
            tracker = self.trackers.of(partition)
            assert tracker is not None
            assert tracker.lowest_unfinished == model.tracker
            assert self.broker[partition] <= model.tracker or partition in self.begun_anew
            ahead = {offset for offset in model.deferred_early if offset >= model.tracker}
            assert tracker.deferred_early == len(ahead)
            assert tracker.window == model.next_offset - model.tracker - len(ahead)
            assert tracker.unfinished == len(model.unfinished)
            assert (tracker.committable or model.tracker) == model.tracker


OffsetTrackerMachine.TestCase.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
TestOffsetTrackers = OffsetTrackerMachine.TestCase


@given(st.permutations(range(20)))
def test_any_order_of_finishing_ends_at_the_head(order: list[int]) -> None:
    """Whatever the order, the watermark is the lowest unfinished and at last the head."""
    tracker = OffsetTracker(0)
    for offset in range(20):
        assert tracker.take(offset) is TakeResult.TAKEN
    left = set(range(20))
    for offset in order:
        tracker.finish(offset)
        left.remove(offset)
        assert tracker.lowest_unfinished == min(left, default=20)


@pytest.mark.parametrize("unseen", [1, 3, 1000])
def test_a_gap_is_believed_when_it_is_seen_twice(unseen: int) -> None:
    """A jump over unseen offsets, be it one, asks for a seek back first; seen again, it is real."""
    tracker = OffsetTracker(5)
    assert tracker.take(5 + unseen) is TakeResult.GAP
    assert tracker.take(5) is TakeResult.TAKEN
    assert tracker.take(6 + unseen) is TakeResult.GAP
    assert tracker.take(6 + unseen) is TakeResult.TAKEN
    assert tracker.lowest_unfinished == 5


@pytest.mark.parametrize("offset", [4, 6, 7])
def test_only_an_unfinished_record_can_be_finished(offset: int) -> None:
    """Below the watermark, finished before, or never taken: a bug, said loudly."""
    tracker = OffsetTracker(5)
    for taken in (5, 6):
        tracker.take(taken)
    tracker.finish(6)
    with pytest.raises(ValueError, match="is not unfinished"):
        tracker.finish(offset)


def test_a_gap_that_was_seen_before_the_log_was_resumed_is_seen_for_the_first_time_behind_it() -> None:
    """The client has sought back meanwhile: what it delivers then says nothing of what it delivered before."""
    tracker = OffsetTracker(0)
    assert tracker.take(5) is TakeResult.GAP
    tracker.skip_to(4)
    assert tracker.take(5) is TakeResult.GAP
    assert tracker.take(5) is TakeResult.TAKEN
