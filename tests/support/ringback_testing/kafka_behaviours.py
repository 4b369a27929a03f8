"""What our tests take for granted of Kafka and its client: one list of behaviours, for a real broker and for ours.

`libs/stream/tests/test_stream_kafka_in_memory.py` runs it against `kafka_in_memory`, `tests/integration/
test_kafka_behaviours.py` against aiokafka and a broker: a test on the one says something about the other only while
both lists are green.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Protocol

import pytest
from aiokafka import ConsumerRebalanceListener, TopicPartition
from aiokafka.errors import (
    CommitFailedError,
    IllegalStateError,
    NoOffsetForPartitionError,
    OffsetOutOfRangeError,
)

from ringback_testing.records import Record
from ringback_testing.waiting import eventually

__all__ = ["BEHAVIOURS", "KafkaAtHand", "Listener", "Member"]
_PATIENCE = 30.0


class Member(Protocol):
    """A member of a consumer group: what the runtime uses of aiokafka's consumer."""

    def assignment(self) -> Collection[TopicPartition]:
        """The partitions it has."""
        ...

    def seek(self, partition: TopicPartition, offset: int) -> None:
        """Go to an offset."""
        ...

    def pause(self, *partitions: TopicPartition) -> None:
        """Have nothing delivered of these."""
        ...

    def resume(self, *partitions: TopicPartition) -> None:
        """Have them delivered again."""
        ...

    def highwater(self, partition: TopicPartition) -> int | None:
        """The end of a partition as of the last fetch."""
        ...

    async def committed(self, partition: TopicPartition) -> int | None:
        """The group's offset."""
        ...

    async def beginning_offsets(self, partitions: Collection[TopicPartition]) -> Mapping[TopicPartition, int]:
        """Where logs begin now."""
        ...

    async def end_offsets(self, partitions: Collection[TopicPartition]) -> Mapping[TopicPartition, int]:
        """Where logs end now."""
        ...

    async def commit(self, offsets: dict[TopicPartition, int]) -> None:
        """Commit."""
        ...

    async def getmany(
        self, *, timeout_ms: int = 0, max_records: int | None = None
    ) -> Mapping[TopicPartition, Sequence[Record]]:
        """The next records."""
        ...


class KafkaAtHand(Protocol):
    """A Kafka with a topic of two partitions and a group that has committed nothing."""

    places: Sequence[TopicPartition]

    async def write(
        self,
        place: TopicPartition,
        value: bytes | None,
        headers: Sequence[tuple[str, bytes]] = (),
        timestamp_ms: int | None = None,
    ) -> tuple[int, int]:
        """Write a record under the key `key`; offset and time stamp, as they are acknowledged."""
        ...

    async def remove(self, place: TopicPartition, before: int) -> None:
        """Let retention take what lies below an offset."""
        ...

    def member(self, listener: "Listener") -> AbstractAsyncContextManager[Member]:
        """Join the group; another member shares the partitions with those that are there, one for each."""
        ...

    def silent(self, member: Member) -> AbstractAsyncContextManager[None]:
        """Nothing is answered to a member for a while."""
        ...

    async def leave_out(self, member: Member) -> None:
        """Go on without a member that does not know it yet."""
        ...


class Listener(ConsumerRebalanceListener):
    """Notes each assignment and revocation of a member, and does something first."""

    def __init__(self, starts: int | None = 0) -> None:
        self.starts = starts
        """Where each partition is read from; None: where aiokafka itself would."""
        self.reported: list[tuple[str, frozenset[TopicPartition]]] = []
        self.member: Member | None = None
        self.before: Callable[[], Awaitable[None]] | None = None
        """Done before the partitions are given back."""

    async def on_partitions_revoked(  # pyright: ignore[reportIncompatibleMethodOverride] - aiokafka awaits it if it can
        self, revoked: Collection[TopicPartition]
    ) -> None:
        """They are given back when this returns."""
        if self.before is not None:
            await self.before()
        self.reported.append(("revoked", frozenset(revoked)))

    async def on_partitions_assigned(  # pyright: ignore[reportIncompatibleMethodOverride] - the same
        self, assigned: Collection[TopicPartition]
    ) -> None:
        """They are read when this returns."""
        self.reported.append(("assigned", frozenset(assigned)))
        if self.member is not None and self.starts is not None:
            for place in assigned:
                self.member.seek(place, self.starts)


async def _read(member: Member, count: int) -> list[Record]:
    """So many records, however many polls they take."""
    found: list[Record] = []
    async with asyncio.timeout(_PATIENCE):
        while len(found) < count:
            for records in (await member.getmany(timeout_ms=100)).values():
                found += records
    return found


async def _offsets(member: Member, count: int) -> list[tuple[int, int]]:
    return sorted((record.partition, record.offset) for record in await _read(member, count))


async def _nothing(member: Member) -> bool:
    return [await member.getmany(timeout_ms=100) for _ in range(3)] == [{}] * 3


async def _failure(member: Member) -> None:
    """Poll until a poll fails."""
    async with asyncio.timeout(_PATIENCE):
        while True:
            await member.getmany(timeout_ms=50)


async def a_record_comes_as_it_was_written(kafka: KafkaAtHand) -> None:
    """Key, value, headers in their order with repeats, time stamp, and the offset that was acknowledged."""
    place, _ = kafka.places
    headers = [("ce_id", b"1"), ("x", b""), ("ce_id", b"2")]
    stamp = int(time.time() * 1000) - 5000
    acked = [
        await kafka.write(place, b"value", headers, stamp),
        await kafka.write(place, None),
    ]
    async with kafka.member(Listener()) as member:
        first, second = await _read(member, 2)
    assert (first.topic, first.partition, first.key, first.value) == (*place, b"key", b"value")
    assert [*first.headers] == headers
    assert (second.value, [*second.headers]) == (None, [])
    assert [(record.offset, record.timestamp) for record in (first, second)] == acked
    assert (acked[0], acked[1][0]) == ((0, stamp), 1)
    assert second.timestamp > stamp


async def a_seek_decides_what_comes_next(kafka: KafkaAtHand) -> None:
    """Back and ahead, also over what was fetched before."""
    place, _ = kafka.places
    for number in range(6):
        await kafka.write(place, b"%d" % number)
    async with kafka.member(Listener()) as member:
        (some,) = (await member.getmany(timeout_ms=5000, max_records=2)).values()
        assert [record.offset for record in some] == [0, 1]
        member.seek(place, 5)
        assert await _offsets(member, 1) == [(0, 5)]
        member.seek(place, 1)
        assert await _offsets(member, 5) == [(0, offset) for offset in range(1, 6)]


async def a_poll_brings_no_more_than_is_asked_for(kafka: KafkaAtHand) -> None:
    """Of all partitions together; the next goes on behind it."""
    for place in kafka.places:
        for number in range(3):
            await kafka.write(place, b"%d" % number)
    async with kafka.member(Listener()) as member:
        found: list[tuple[int, int]] = []
        while len(found) < 6:
            records = [each for some in (await member.getmany(timeout_ms=100, max_records=2)).values() for each in some]
            assert len(records) <= 2
            found += [(each.partition, each.offset) for each in records]
    assert [offset for partition, offset in found if partition == 0] == [0, 1, 2]
    assert sorted(found) == [(partition, offset) for partition in (0, 1) for offset in range(3)]


async def a_pause_holds_one_partition(kafka: KafkaAtHand) -> None:
    """Nothing of it comes, the other goes on; resumed it goes on where it was."""
    first, second = kafka.places
    async with kafka.member(Listener()) as member:
        await kafka.write(first, b"0")
        assert await _offsets(member, 1) == [(0, 0)]
        member.pause(first)
        await kafka.write(first, b"1")
        await kafka.write(second, b"0")
        assert await _offsets(member, 1) == [(1, 0)]
        assert await _nothing(member)
        member.resume(first)
        assert await _offsets(member, 1) == [(0, 1)]


async def what_is_not_assigned_is_refused(kafka: KafkaAtHand) -> None:
    """A seek, a pause, a resumption and a commit, each at once."""
    other = kafka.places[0]._replace(topic="another")
    async with kafka.member(Listener()) as member:
        assert set(member.assignment()) == set(kafka.places)
        for refused in (lambda: member.seek(other, 0), lambda: member.pause(other), lambda: member.resume(other)):
            with pytest.raises(IllegalStateError):
                refused()
        with pytest.raises(IllegalStateError):
            await member.commit({other: 0})
        with pytest.raises(AssertionError):
            member.highwater(other)


async def a_log_has_a_beginning_and_an_end(kafka: KafkaAtHand) -> None:
    """Asked for they are as of now; the end that a fetch tells is unknown before the first, and as of the last."""
    first, second = kafka.places
    for number in range(3):
        await kafka.write(first, b"%d" % number)
    async with kafka.member(Listener(None)) as member:
        assert member.highwater(first) is None
        assert await member.end_offsets(kafka.places) == {first: 3, second: 0}
        assert await member.beginning_offsets(kafka.places) == {first: 0, second: 0}
        for place in kafka.places:
            member.seek(place, 0)
        await _read(member, 3)
        assert member.highwater(first) == 3
        await kafka.remove(first, 2)
        assert await member.beginning_offsets([first]) == {first: 2}
        assert await member.end_offsets([first]) == {first: 3}


async def outside_of_the_log_a_poll_fails(kafka: KafkaAtHand) -> None:
    """With the partition and the offset, above its end and below its beginning; a seek mends it."""
    place, _ = kafka.places
    for number in range(3):
        await kafka.write(place, b"%d" % number)
    async with kafka.member(Listener()) as member:
        await _read(member, 3)
        await kafka.remove(place, 2)
        for outside in (1, 7):
            member.seek(place, outside)
            with pytest.raises(OffsetOutOfRangeError) as raised:
                await _failure(member)
            assert raised.value.args == ({place: outside},)
        member.seek(place, 2)
        assert await _offsets(member, 1) == [(0, 2)]


async def without_a_place_to_begin_a_poll_fails(kafka: KafkaAtHand) -> None:
    """Nothing is committed, and no start is configured: neither end of the log is taken for it."""
    await kafka.write(kafka.places[0], b"0")
    async with kafka.member(Listener(None)) as member:
        with pytest.raises(NoOffsetForPartitionError):
            await _failure(member)


async def a_commit_is_the_groups(kafka: KafkaAtHand) -> None:
    """None before; afterwards the next member begins there, unless it seeks elsewhere."""
    first, second = kafka.places
    for place in kafka.places:
        for number in range(3):
            await kafka.write(place, b"%d" % number)
    async with kafka.member(Listener()) as member:
        await _read(member, 6)
        assert [await member.committed(place) for place in kafka.places] == [None, None]
        await member.commit({first: 2, second: 0})
        assert [await member.committed(place) for place in kafka.places] == [2, 0]
    async with kafka.member(Listener(None)) as member:
        assert [await member.committed(place) for place in kafka.places] == [2, 0]
        assert await _offsets(member, 4) == [(0, 2), (1, 0), (1, 1), (1, 2)]


async def a_rebalance_gives_back_before_it_gives(kafka: KafkaAtHand) -> None:
    """What is revoked may still be committed; of what stays, pause and position are forgotten."""
    for place in kafka.places:
        for number in range(2):
            await kafka.write(place, b"%d" % number)
    listener, everything = Listener(), frozenset(kafka.places)
    async with kafka.member(listener) as member:
        await _read(member, 4)
        assert listener.reported == [("revoked", frozenset()), ("assigned", everything)]
        member.pause(*kafka.places)

        async def commit() -> None:
            assert frozenset(member.assignment()) == everything
            await member.commit(dict.fromkeys(kafka.places, 1))

        listener.before, listener.starts = commit, None
        beside = Listener(None)
        async with kafka.member(beside) as other:
            await eventually(lambda: len(listener.reported) == 4, _PATIENCE)
            mine, theirs = frozenset(member.assignment()), frozenset(other.assignment())
            assert listener.reported[2:] == [("revoked", everything), ("assigned", mine)]
            assert beside.reported[-1] == ("assigned", theirs)
            assert (len(mine), len(theirs), mine | theirs) == (1, 1, everything)
            for one, has in ((member, mine), (other, theirs)):
                (place,) = has
                assert await one.committed(place) == 1
                assert await _offsets(one, 1) == [(place.partition, 1)]
            listener.before = None


async def a_member_that_was_left_out_commits_nothing(kafka: KafkaAtHand) -> None:
    """It thinks that it has its partitions; its commit is refused, and the group's offset stays."""
    place, _ = kafka.places
    await kafka.write(place, b"0")
    await kafka.write(place, b"1")
    async with kafka.member(Listener()) as member:
        await _read(member, 2)
        await member.commit({place: 1})
        await kafka.leave_out(member)
        assert place in member.assignment()
        with pytest.raises(CommitFailedError):
            await member.commit({place: 2})
        assert await member.committed(place) == 1


async def a_commit_that_is_not_answered_waits(kafka: KafkaAtHand) -> None:
    """It neither fails nor returns: the committing task has to end it. Repeated later it is accepted."""
    place, _ = kafka.places
    await kafka.write(place, b"0")
    async with kafka.member(Listener()) as member:
        await _read(member, 1)
        async with kafka.silent(member):
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(member.commit({place: 1}), 1)
        await member.commit({place: 1})
        assert await member.committed(place) == 1


BEHAVIOURS: Sequence[Callable[[KafkaAtHand], Awaitable[None]]] = (
    a_record_comes_as_it_was_written,
    a_seek_decides_what_comes_next,
    a_poll_brings_no_more_than_is_asked_for,
    a_pause_holds_one_partition,
    what_is_not_assigned_is_refused,
    a_log_has_a_beginning_and_an_end,
    outside_of_the_log_a_poll_fails,
    without_a_place_to_begin_a_poll_fails,
    a_commit_is_the_groups,
    a_rebalance_gives_back_before_it_gives,
    a_member_that_was_left_out_commits_nothing,
    a_commit_that_is_not_answered_waits,
)
"""Each is a test of a Kafka that is fresh."""
