"""The watermarks against a model that is too simple to be wrong: the set of unfinished offsets."""

from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from ringback_stream.partitions import Partition
from ringback_stream.watermarks import Taken, Ticket, Watermark, Watermarks

PARTITIONS = (Partition("callrecords.internal.fetch.v1", 0), Partition("callrecords.internal.fetch.v1", 1))


@dataclass
class Model:
    """One partition of one assignment, spelled out."""

    start: int
    head: int
    unfinished: set[int] = field(default_factory=set)
    diverted: set[int] = field(default_factory=set)
    doubted: int | None = None
    """The offset whose jump was seen once since the last record was taken, or the log was resumed."""

    def answer(self, offset: int) -> Taken:
        """What an offered record has to become."""
        if offset < self.head:
            return Taken.REPEAT
        return Taken.TAKEN if offset in {self.head, self.doubted} else Taken.GAP

    @property
    def watermark(self) -> int:
        """Everything below it is finished."""
        return min(self.unfinished, default=self.head)


class WatermarkMachine(RuleBasedStateMachine):
    """Take, finish, commit, revoke and lose in any order; commit answers come late and out of order."""

    def __init__(self) -> None:
        super().__init__()
        self.watermarks = Watermarks()
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
        self.watermarks.assign(starts)
        self.model = {partition: Model(start, start) for partition, start in starts.items()}
        self.begun_anew.clear()
        self.old_tickets += self.tickets
        self.tickets = []

    @rule()
    def drop(self) -> None:
        """Revoked or lost."""
        self.watermarks.drop()
        self.model = {}
        self.old_tickets += self.tickets
        self.tickets = []

    @precondition(lambda self: self.model)
    @rule(data=st.data(), ahead=st.integers(-3, 3), diverted=st.booleans())
    def take(self, data: st.DataObject, ahead: int, *, diverted: bool) -> None:
        """Offer a record at, below or beyond the head."""
        partition = data.draw(st.sampled_from(sorted(self.model)))
        model = self.model[partition]
        offset = max(0, model.head + ahead)
        watermark = self.watermarks.of(partition)
        assert watermark is not None
        taken = watermark.take(offset, diverted=diverted)
        assert taken is model.answer(offset)
        if taken is Taken.TAKEN:
            model.unfinished.add(offset)
            model.diverted |= {offset} if diverted else set()
            model.head, model.doubted = offset + 1, None
            self.tickets.append(self.watermarks.ticket(partition, offset))
        elif taken is Taken.GAP:
            model.doubted = offset

    @precondition(lambda self: self.model)
    @rule(data=st.data(), distance=st.integers(-5, 5))
    def resume(self, data: st.DataObject, distance: int) -> None:
        """The log does not hold the head: it begins above it, or ends below it."""
        partition = data.draw(st.sampled_from(sorted(self.model)))
        model, mine = self.model[partition], [each for each in self.tickets if each.partition == partition]
        oldest = max(0, model.head + distance)
        removed = self.watermarks.resume(partition, oldest)
        if oldest < model.head:
            assert removed is None
            self.old_tickets += mine
            self.tickets = [each for each in self.tickets if each.partition != partition]
            self.model[partition] = Model(oldest, oldest)
            self.begun_anew.add(partition)
            assert self.watermarks.committable()[partition] == oldest
        else:
            assert removed == oldest - model.head
            model.head, model.doubted = oldest, None

    @precondition(lambda self: self.tickets)
    @rule(data=st.data())
    def finish(self, data: st.DataObject) -> None:
        """Finish any taken record."""
        ticket = self.tickets.pop(data.draw(st.integers(0, len(self.tickets) - 1)))
        assert self.watermarks.finish(ticket)
        self.model[ticket.partition].unfinished.remove(ticket.offset)

    @precondition(lambda self: self.old_tickets)
    @rule(data=st.data())
    def finish_late(self, data: st.DataObject) -> None:
        """Work of an assignment that is over finishes nothing."""
        ticket = data.draw(st.sampled_from(self.old_tickets))
        assert not self.watermarks.finish(ticket)

    @rule()
    def send_commit(self) -> None:
        """Send what is committable; the broker takes it, its answer is under way."""
        offsets = self.watermarks.committable()
        for partition, offset in offsets.items():
            assert offset >= self.broker[partition] or partition in self.begun_anew
            self.begun_anew.discard(partition)
            self.broker[partition] = offset
        self.answers.append((self.watermarks.epoch, offsets))

    @precondition(lambda self: self.answers)
    @rule(data=st.data())
    def answer_commit(self, data: st.DataObject) -> None:
        """Answers may come in any order, some after their assignment."""
        epoch, offsets = self.answers.pop(data.draw(st.integers(0, len(self.answers) - 1)))
        assert self.watermarks.accepted(epoch, offsets) is (epoch == self.watermarks.epoch)

    @invariant()
    def commits_never_exceed_the_lowest_unfinished(self) -> None:
        """The promise: whatever is unfinished is at or above what the broker was told."""
        for partition, model in self.model.items():
            watermark = self.watermarks.of(partition)
            assert watermark is not None
            assert watermark.lowest_unfinished == model.watermark
            assert self.broker[partition] <= model.watermark or partition in self.begun_anew
            ahead = {offset for offset in model.diverted if offset >= model.watermark}
            assert watermark.diverted == len(ahead)
            assert watermark.span == model.head - model.watermark - len(ahead)
            assert watermark.unfinished == len(model.unfinished)
            assert (watermark.committable or model.watermark) == model.watermark


WatermarkMachine.TestCase.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
TestWatermarks = WatermarkMachine.TestCase


@given(st.permutations(range(20)))
def test_any_order_of_finishing_ends_at_the_head(order: list[int]) -> None:
    """Whatever the order, the watermark is the lowest unfinished and at last the head."""
    watermark = Watermark(0)
    for offset in range(20):
        assert watermark.take(offset) is Taken.TAKEN
    left = set(range(20))
    for offset in order:
        watermark.finish(offset)
        left.remove(offset)
        assert watermark.lowest_unfinished == min(left, default=20)


@pytest.mark.parametrize("unseen", [1, 3, 1000])
def test_a_gap_is_believed_when_it_is_seen_twice(unseen: int) -> None:
    """A jump over unseen offsets, be it one, asks for a seek back first; seen again, it is real."""
    watermark = Watermark(5)
    assert watermark.take(5 + unseen) is Taken.GAP
    assert watermark.take(5) is Taken.TAKEN
    assert watermark.take(6 + unseen) is Taken.GAP
    assert watermark.take(6 + unseen) is Taken.TAKEN
    assert watermark.lowest_unfinished == 5


@pytest.mark.parametrize("offset", [4, 6, 7])
def test_only_an_unfinished_record_can_be_finished(offset: int) -> None:
    """Below the watermark, finished before, or never taken: a bug, said loudly."""
    watermark = Watermark(5)
    for taken in (5, 6):
        watermark.take(taken)
    watermark.finish(6)
    with pytest.raises(ValueError, match="is not unfinished"):
        watermark.finish(offset)


def test_a_gap_that_was_seen_before_the_log_was_resumed_is_seen_for_the_first_time_behind_it() -> None:
    """The client has sought back meanwhile: what it delivers then says nothing of what it delivered before."""
    watermark = Watermark(0)
    assert watermark.take(5) is Taken.GAP
    watermark.skip_to(4)
    assert watermark.take(5) is Taken.GAP
    assert watermark.take(5) is Taken.TAKEN
