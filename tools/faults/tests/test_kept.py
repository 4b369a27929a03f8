"""What was taken from topics is in the ledgers, and the offsets of what came after it go on."""

from typing import Any

import pytest
from aiokafka import ConsumerRecord, TopicPartition
from ringback_faults.collect.kept import (
    Kept,
    begins_of,
    commits_counted_on,
    counted_on,
    records_of,
    removed_places,
)
from ringback_faults.ledgers import Commit


def record(offset: int, topic: str = "a", partition: int = 0) -> Any:
    """As the client reads it."""
    return ConsumerRecord(topic, partition, offset, 1000, 1, b"k", b"v", None, 1, 1, ())


def dropped(at: float, end: int, first: int = 0) -> Kept:
    """Topic `a` was deleted; its partition 0 ended there."""
    return Kept(at, "a", [record(offset) for offset in range(first, end)], {0: end})


def offsets(records: Any) -> list[int]:
    """Where they are in the ledgers."""
    return [one.offset for one in records]


def test_a_log_made_anew_goes_on_where_the_one_before_ended() -> None:
    """Each time it is; another partition and another topic do not."""
    twice = [dropped(10.0, 7), dropped(20.0, 3)]
    assert counted_on(twice[:1], record(2)).offset == 9
    assert counted_on(twice, record(2)).offset == 12
    assert counted_on(twice, record(2, partition=1)).offset == 2
    assert counted_on(twice, record(2, topic="b")).offset == 2


def test_what_a_deleted_log_held_is_the_row_s_from_where_the_row_began() -> None:
    """Older records are those of earlier rows; a second log is the row's own as a whole."""
    kept, began = [dropped(10.0, 4), dropped(20.0, 2)], {TopicPartition("a", 0): 3}
    assert offsets(records_of(kept, began)) == [3, 4, 5]


def test_a_deleted_log_s_successor_is_read_from_its_beginning() -> None:
    """The row began at an offset of the log before, which may be above the end of this one."""
    a, b = TopicPartition("a", 0), TopicPartition("b", 0)
    assert begins_of([dropped(10.0, 7)], {a: 5, b: 6}) == {b: 6}
    removed = Kept(10.0, "a", [record(5)], unread=frozenset({("a", 0, 5)}))
    assert begins_of([removed], {a: 5, b: 6}) == {a: 5, b: 6}


@pytest.mark.parametrize(("at", "offset"), [(9.0, 2), (11.0, 9), (21.0, 12)])
def test_a_commit_counts_as_the_log_it_is_of(at: float, offset: int) -> None:
    """By when it was written; another topic's is left alone."""
    kept = [dropped(10.0, 7), dropped(20.0, 3)]
    ours, other = Commit(at, "g", "a", 0, 2), Commit(at, "g", "b", 0, 2)
    assert [one.offset for one in commits_counted_on(kept, [ours, other])] == [offset, 2]


def test_what_retention_took_keeps_its_offsets() -> None:
    """Those read before are in the ledgers, too, and are no removed ones; in a second log they count on."""
    taken = Kept(10.0, "a", [record(4), record(5)], unread=frozenset({("a", 0, 5)}))
    assert offsets(records_of([taken], {})) == [4, 5]
    assert counted_on([taken], record(6)).offset == 6
    assert removed_places([taken]) == {("a", 0, 5)}
    assert removed_places([dropped(5.0, 7), taken]) == {("a", 0, 12)}
