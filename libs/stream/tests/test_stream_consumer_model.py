"""The whole of the runtime between poll and commit, under every interleaving, against a set of offsets.

Real are Consumer, BackpressureGate, AsidePolicy, AsideWriter, Assignment, OffsetTrackers, Ownership, KeyedRunner,
KeyQueue, Breaker and OutcomeHandler.
In memory is only what aiokafka does: a broker cannot be told when to answer, and takes real seconds for a rebalance.
"""

import asyncio
from collections.abc import Coroutine, Sequence
from itertools import cycle
from typing import Any

from aiokafka import TopicPartition
from aiokafka.errors import OffsetOutOfRangeError
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from ringback_events.topics import FETCH_RETRY_2M
from ringback_stream.consume.consumer import GIVE_UP_WITHIN
from ringback_stream.consume.partitions import Partition
from ringback_testing.consumer_world import ANSWERS, CAPS, KEYS, PLACES, WITHIN, World
from ringback_testing.kafka_in_memory import Answer, Entry, LogInMemory
from ringback_testing.properties import examples
from ringback_testing.virtual_time import VirtualClock, VirtualTimeLoop


class ConsumerMachine(RuleBasedStateMachine):
    """Poll, finish, fail, divert, commit, revoke, lose and seek in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = VirtualTimeLoop()
        self.clock = VirtualClock(self.loop)
        self.log = LogInMemory({place: [] for place in PLACES})
        self.world = self.run(self._make())
        self.epochs = 0

    async def _make(self) -> World:
        return World(self.log, self.clock)

    def run(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        """Let the loop run as long as that takes."""
        return self.loop.run_until_complete(coroutine)

    @property
    def assigned(self) -> list[TopicPartition]:
        """What this member has."""
        return sorted(self.world.group.assignment())

    # -- the log --

    @initialize()
    def some_records(self) -> None:
        """Never begin with nothing to do, nor without a partition."""
        for number, place in enumerate(PLACES):
            self.produce(place, list(KEYS[number : number + 10]), 0, 0.0)
        self.assign(set(PLACES))

    @rule(
        place=st.sampled_from(PLACES),
        keys=st.lists(st.sampled_from(KEYS), min_size=1, max_size=9),
        gap=st.sampled_from([0, 0, 0, 2]),
        due=st.sampled_from([0.0, 0.0, 2.0, 30.0]),
    )
    def produce(self, place: TopicPartition, keys: list[bytes], gap: int, due: float) -> None:
        """Records arrive; of a retry lane with a due time, after compaction with a gap.

        Not so many that a log made anew grows past what was committed: no client of this library can tell that.
        """
        if place in self.log.shorter and self.log.ends[place] + len(keys) * (1 + gap) >= self.log.committed[place]:
            return
        stamp = int(self.clock.now().timestamp() * 1000)
        headers = (
            (("ringback_due", str(int(stamp + due * 1000)).encode()),) if place.topic == FETCH_RETRY_2M.name else ()
        )
        for key in keys:
            self.log.append(place, key, headers, stamp, gap)

    @rule(data=st.data(), place=st.sampled_from(PLACES))
    def make_anew(self, data: st.DataObject, place: TopicPartition) -> None:
        """The log of a partition is another, which ends below what is committed; a member that is idle there polls it.

        What a member still commits of the old log, until a poll tells it, the broker takes for offsets of the new one:
        docs/promises.md names that limit.
        """
        committed = self.log.committed.get(place, 0)
        if committed and self._is_idle(place):
            self.run(asyncio.sleep(0.002))  # no record of it has the time stamp of one at its offset before
            self.log.make_anew(place)
            self.produce(place, [KEYS[0]] * data.draw(st.integers(0, committed - 1)), 0, 0.0)
            assert self.log.ends[place] < self.log.committed[place]
            self.run(self._receive([]))

    def _is_idle(self, place: TopicPartition) -> bool:
        """Whether nothing of a partition is in hand, and no commit of it is under way or still to be sent."""
        assignment = self.world.assignment
        tracker = assignment.trackers.of(Partition(place.topic, place.partition))
        done = tracker is None or (tracker.unfinished == 0 and tracker.next_offset == self.log.committed.get(place, 0))
        return done and not assignment._lock.locked()

    @rule(place=st.sampled_from(PLACES), count=st.integers(1, 5))
    def remove(self, place: TopicPartition, count: int) -> None:
        """Retention takes the oldest records, read or not."""
        self.log.remove(place, min(self.log.begins[place] + count, self.log.ends[place]))

    # -- taking in --

    @precondition(lambda self: self.assigned)
    @rule(data=st.data(), most=st.integers(1, 9), skip=st.sampled_from([0, 0, 0, 1, 3]))
    def poll(self, data: st.DataObject, most: int, skip: int) -> None:
        """A poll or a few: records of one partition each, some of them perhaps lost on the way."""
        for place in data.draw(st.lists(st.sampled_from(self.assigned), min_size=1, max_size=4)):
            self.run(self._receive(self.world.group.poll(place, most, skip)))

    @rule(most=st.integers(1, 9))
    def poll_everything(self, most: int) -> None:
        """A poll of every partition."""
        for place in self.assigned:
            self.run(self._receive(self.world.group.poll(place, most, 0)))

    @precondition(lambda self: self.assigned)
    @rule(data=st.data())
    def poll_again(self, data: st.DataObject) -> None:
        """A batch that was fetched before a seek comes once more."""
        place = data.draw(st.sampled_from(self.assigned))
        position = self.world.group.position[place]
        stale = [entry for entry in self.log.entries[place] if entry.offset < position][-3:]
        self.run(self._receive(stale))

    async def _receive(self, entries: Sequence[Entry]) -> None:
        client: Any = self.world.group
        while places := self.world.group.out_of_range():
            await self.world.consumer.poll_failed(client, OffsetOutOfRangeError(places))
            if not self.world.consumer.gate.is_open:
                return
        if entries:
            await self.world.consumer._receive(list(entries))
        await asyncio.sleep(0)

    # -- working --

    @precondition(lambda self: self.assigned)
    @rule(data=st.data(), answers=st.lists(st.sampled_from(ANSWERS), min_size=1, max_size=6))
    def answer(self, data: st.DataObject, answers: list[str]) -> None:
        """Any running steps come to their ends, in any order; with none running, records are polled first."""
        if not self.world.steps:
            self.poll_everything(9)
        for answer in answers:
            waiting = [step for step in self.world.steps if not step.answer.done()]
            if waiting:
                data.draw(st.sampled_from(waiting)).answer.set_result(answer)
                self.run(asyncio.sleep(0.001))

    @precondition(lambda self: self.assigned)
    @rule(data=st.data(), seconds=st.sampled_from([1.0, 2.0, 4.0]))
    def throttle(self, data: st.DataObject, seconds: float) -> None:
        """Graph asks a tenant to wait, and time passes."""
        self.answer(data, ["throttled"])
        self.run(asyncio.sleep(seconds))

    @rule(seconds=st.sampled_from([0.3, 1.0, 3.0, 40.0]))
    def wait(self, seconds: float) -> None:
        """Time passes: commits, retries, due times, probes."""
        self.run(asyncio.sleep(seconds))

    @rule(tenants=st.sets(st.sampled_from([b"a", b"b"])), is_open=st.booleans())
    def pause_tenants(self, tenants: set[bytes], *, is_open: bool) -> None:
        """The records of these tenants are diverted from now on, into a Kafka that may take its time."""
        self.world.paused_tenants = tenants
        self.producer(0, is_open=is_open)
        self.poll_everything(4)
        self.poll_everything(9)

    @rule(refuses=st.integers(0, 3), is_open=st.booleans())
    def producer(self, refuses: int, *, is_open: bool) -> None:
        """Kafka takes no more messages for now, or refuses a few."""
        self.world.producer.refuses = refuses
        gate = self.world.producer.gate
        gate.set() if is_open else gate.clear()
        self.run(asyncio.sleep(0.001))

    # -- committing --

    @rule(answers=st.lists(st.sampled_from(Answer), max_size=3))
    def commits(self, answers: list[Answer]) -> None:
        """What becomes of the next commits; two of them are due."""
        self.world.group.answers = answers
        self.run(asyncio.sleep(0.5))

    @rule()
    def let_commits_through(self) -> None:
        """The broker gets to the commits it has let wait."""
        self.world.group.gate.set()
        self.run(asyncio.sleep(0.001))
        self.world.group.gate.clear()

    # -- the group --

    @precondition(lambda self: self.assigned)
    @rule(ends=st.lists(st.tuples(st.floats(0, 20), st.sampled_from(["publish", "drop", "transient"])), max_size=4))
    def revoke(self, ends: list[tuple[float, str]]) -> None:
        """A rebalance: some running steps end while it drains, some after the deadline."""
        for (delay, answer), step in zip(ends, self.world.steps, strict=False):
            self.loop.call_later(delay, lambda a=answer, s=step: s.answer.done() or s.answer.set_result(a))
        began, ending = self.loop.time(), list(zip(ends, self.world.steps, strict=False))
        leaves_at = self._leaves_at()
        self.run(self.world.consumer.revoked())
        if self.world.group.is_member:  # else a commit finds out, and all is dropped at once
            in_time = [step for (delay, _), step in ending if began + delay < leaves_at.get(step.key, began) - 0.1]
            assert not [step for step in in_time if step.is_cancelled]
        assert not self.world.writer._waiting
        assert self.loop.time() - began < GIVE_UP_WITHIN + 0.1
        assert self.world.assignment.trackers.partitions == set()
        self.world.group.leave()

    def _leaves_at(self) -> dict[bytes, float]:
        """When the records of each running step must be answered for, by key; after that nothing waits for the step."""
        running = [step.work for step in self.world.runner._running.values() if not step.is_alone]
        return {work.key: min(item.arrived for item in work.items) + WITHIN for work in running}

    @precondition(lambda self: self.assigned and self.world.group.is_member)
    @rule(
        answers=st.lists(st.sampled_from(ANSWERS), min_size=1, max_size=4),
        refuses=st.integers(0, 2),
        silent=st.integers(0, 2),
        hangs=st.sampled_from(["nothing", "nothing", "what begins now", "everything"]),
    )
    def revoke_repeats_nothing(self, answers: list[str], refuses: int, silent: int, hangs: str) -> None:
        """Where Kafka answers, nothing that is finished stands above what is given back, though a step may hang."""
        world, gaps = self.world, list[Partition]()
        world.producer.gate.set()
        world.group.gate.set()
        world.producer.refuses = refuses
        world.group.answers = [Answer.UNANSWERED] * silent if hangs == "nothing" else []  # else there is no time for it
        reported = cycle(answers)
        world.at_once = reported if hangs == "nothing" else None
        for step in [step for step in world.steps if not step.answer.done() and hangs != "everything"]:
            step.answer.set_result(next(reported))
        end = world.assignment.end

        def ended(how: str) -> None:
            for partition in world.assignment.trackers.partitions:
                tracker = world.assignment.trackers.of(partition)
                assert tracker is not None
                at = TopicPartition(partition.topic, partition.number)
                if self.log.committed.get(at, self.log.begins[at]) <= tracker.highest_finished:
                    gaps.append(partition)
            end(how)

        world.assignment.end = ended
        try:
            self.run(world.consumer.revoked())
        finally:
            world.at_once, world.assignment.end = None, end
        world.group.leave()
        world.group.gate.clear()
        assert not gaps

    @precondition(lambda self: self.assigned)
    @rule(seconds=st.sampled_from([0.0, 0.1, 3.0]))
    def lose(self, seconds: float) -> None:
        """The broker gives the partitions to another member without a notice; a commit finds out."""
        self.world.group.is_member = False
        self.run(asyncio.sleep(seconds))

    @precondition(lambda self: not self.world.group.is_member)
    @rule(count=st.integers(1, 5), place=st.sampled_from(PLACES))
    def others_work(self, count: int, place: TopicPartition) -> None:
        """The member that has the partition now goes on with it."""
        offset = self.log.committed.get(place, 0)
        first = offset if offset <= self.log.ends[place] else self.log.begins[place]
        ahead = [entry for entry in self.log.entries[place] if entry.offset >= first][:count]
        self.log.done.update(entry.name for entry in ahead)
        if ahead:
            self.log.commit({place: ahead[-1].offset + 1})

    @precondition(lambda self: not self.world.group.is_member)
    @rule(places=st.sets(st.sampled_from(PLACES), min_size=1))
    def assign(self, places: set[TopicPartition]) -> None:
        """A new generation; what was held until now is revoked first, as aiokafka does."""
        if self.assigned:
            self.run(self.world.consumer.revoked())
        self.world.group.join(places)
        self.run(self.world.consumer.assigned(places))
        assert self.world.assignment.trackers.epoch > self.epochs
        self.epochs = self.world.assignment.trackers.epoch

    # -- what must hold --

    @invariant()
    def nobody_has_failed(self) -> None:
        """No background task ended, nothing was swallowed."""
        for task in (*self.world.background, self.world.consumer.failed):
            if task.done():
                task.result()
                raise AssertionError(f"{task} is over")

    @invariant()
    def what_is_in_hand_stays_within_its_caps(self) -> None:
        """The unfinished keys per tenant; nothing that could be answered for is older than it may be."""
        for place in PLACES:
            tracker = self.world.assignment.trackers.of(Partition(place.topic, place.partition))
            if tracker is not None:
                assert tracker.committed <= tracker.lowest_unfinished <= tracker.next_offset
                if self.world.group.is_member:  # else others may have gone back with a log made anew
                    assert tracker.committed <= self.log.committed.get(place, self.log.begins[place])
        runner = self.world.runner
        most = CAPS.largest_share + 2 * CAPS.in_flight_bulk_per_tenant  # a key of bulk's may become a live one
        assert max(runner._queue._tenant_keys.values(), default=0) <= most
        if runner._open and not runner.is_cut_off and runner.leaving is not None and self.world.producer.gate.is_set():
            leaving = runner.leaving
            writing = {step.work.key for step in runner._steps if step.is_writing}
            staying = [each for each in leaving._staying.values() if each.received.key not in writing]
            overdue = self.clock.monotonic() - 0.1
            assert all(leaving._deadline(each) > overdue for each in staying)

    @invariant()
    def a_refused_commit_ends_everything(self) -> None:
        """The first refusal means the assignment is another member's: nothing of it goes on, not even in the runner."""
        if self.world.group.refused_in == self.world.group.generation:
            assert self.world.assignment.trackers.partitions == set()
            assert not self.world.runner._running
            assert self.world.runner.oldest_arrival is self.world.writer.oldest_arrival is None

    def teardown(self) -> None:
        """Left alone, everything is worked on and every partition is committed to its end."""
        try:
            self.run(self._apply())
            assert all(self._is_committed(place) for place in PLACES)
            assert self.world.assignment.trackers.unfinished == 0
            assert self.world.runner.oldest_arrival is self.world.writer.oldest_arrival is None
        finally:
            for task in self.world.background:
                task.cancel()
            self.run(asyncio.sleep(0))
            self.loop.close()

    async def _apply(self) -> None:
        world = self.world
        world.group.answers, world.producer.refuses, world.paused_tenants = [], 0, set()
        world.group.gate.set()
        world.producer.gate.set()
        if self.assigned:
            await world.consumer.revoked()
        world.group.join(PLACES)
        await world.consumer.assigned(PLACES)
        for _ in range(2000):
            self.nobody_has_failed()
            for place in PLACES:
                await self._receive(world.group.poll(place, 9, 0))
            for step in world.steps:
                if not step.answer.done():
                    step.answer.set_result("publish")
            await asyncio.sleep(0.5)
            if all(self._is_committed(place) for place in PLACES):
                return

    def _is_committed(self, place: TopicPartition) -> bool:
        return self.log.committed.get(place, self.log.begins[place]) == self.log.ends[place]


ConsumerMachine.TestCase.settings = examples(100, stateful_step_count=40)
TestConsumer = ConsumerMachine.TestCase
