"""One flow from joining its group to leaving it, and what ends it: a stop, a halt, or a failure."""

import asyncio
from collections.abc import Callable, Collection, Coroutine, Iterable
from contextlib import suppress
from functools import partial
from typing import Any, cast

from aiokafka.errors import KafkaError
from ringback_common import logs
from ringback_common.backoff import Backoff
from ringback_common.clock import Clock
from ringback_common.errors import DeadLetterLimit
from ringback_common.retrying import FailedAttempt, until_it_works
from ringback_common.settings import KafkaSettings
from ringback_events.platform_events import ControlEntry

from ringback_stream import telemetry
from ringback_stream.aside.deadlines import AsideTargets
from ringback_stream.aside.lanes import AsideLanes
from ringback_stream.aside.policy import AdmissionPolicy, AsidePolicy, PausingPolicy
from ringback_stream.aside.writer import AsideWriter
from ringback_stream.consume.assignment import Assignment
from ringback_stream.consume.batch_runner import BatchedRunner
from ringback_stream.consume.consumer import Consumer
from ringback_stream.consume.first_records import read_first_records
from ringback_stream.consume.keyed_runner import KeyedRunner
from ringback_stream.consume.lag import PartitionLag
from ringback_stream.consume.outcome_handler import OutcomeHandler
from ringback_stream.consume.runner import Runner
from ringback_stream.consume.stalls import StallLog
from ringback_stream.flows import BatchedFlow, KeyedFlow, LaneKind
from ringback_stream.process.watchdog import WatchedFlow, watch
from ringback_stream.publish.producer import Producer
from ringback_stream.shared.connection import full_name, most_are_reachable
from ringback_stream.shared.control import ControlTable
from ringback_stream.shared.status import StatusPart
from ringback_stream.simple.consumer import SimpleConsumer
from ringback_stream.simple.flow import SimpleFlow

__all__ = ["HALT", "FlowSupervisor", "first_failure"]

_log = logs.logger(__name__)

Group = BaseExceptionGroup[BaseException]

HALT = "halt"
"""Kind of the control entry; its subject is the process."""
_LOOK_AGAIN = 0.02
_TELL_EVERY = 1.0
_START_AGAIN = Backoff(1.0, 1.0)
_TOPICS_EVERY = 1.0
_REASONS = ("running", "ready", "record", "tenant", "writing")


class FlowSupervisor:
    """Keeps one flow of a process running."""

    def __init__(
        self,
        kafka: KafkaSettings,
        process: str,
        flow: KeyedFlow | BatchedFlow,
        producer: Producer,
        control: ControlTable,
        clock: Clock,
    ) -> None:
        self._kafka = kafka
        self._process = process
        self._flow = flow
        self._producer = producer
        self._control = control
        self._clock = clock
        self.assignment = self._new_assignment(lambda: None)
        self.runner: Runner | None = None
        self.writer: AsideWriter | None = None
        self.consumer: Consumer | None = None
        self._missing: Collection[str] = ()
        self._stalls = StallLog(flow.group, clock)

    @property
    def halted(self) -> bool:
        """Whether an operator must resume this process."""
        return self._control.get(HALT, self._process) is not None

    async def run(self, stop: asyncio.Event) -> None:
        """Consume until `stop`, staying out of the group while halted; raises whatever ends the process."""
        while not stop.is_set():
            telemetry.child(telemetry.HALTED, self._flow.group).set(self.halted)
            if self.halted:
                await _first_of(stop.wait(), self._control.changed())
                continue
            try:
                await self._consume(stop)
            except DeadLetterLimit as limit:
                await self._halt(limit.reason)

    def not_ready(self) -> str | None:
        """The readiness check of this flow."""
        if self.halted:
            return "The process halted itself: see `ringback resume` for why, mend the cause, then resume it."
        if self.consumer is None or not self.consumer.joined:
            return f"The group {self._flow.group} has not been joined yet."
        return self._not_read(self.consumer)

    def not_live(self) -> str | None:
        """The liveness check of this flow; a consumer without progress is the watchdog's, which ends the process."""
        since = self.runner.stuck_since if self.runner is not None else None
        if since is None or self._clock.monotonic() - since < self._flow.step_limit:
            return None
        return f"A step of {self._flow.group} hangs, or none is started, for more than {self._flow.step_limit:.0f} s."

    def facts(self) -> Iterable[StatusPart]:
        """What the flow knows, for the status topic."""
        oldest = self._oldest_arrival()
        yield StatusPart(
            self._state(),
            {
                "group": self._flow.group,
                "partitions": len(self.assignment.trackers.partitions),
                "in_hand": self.assignment.trackers.unfinished,
                "oldest_in_hand_seconds": 0.0 if oldest is None else round(self._clock.monotonic() - oldest, 3),
                "reason": self.not_ready(),
            },
        )

    def _state(self) -> str:
        if self.halted:
            return "halted"
        if self.consumer is None or not self.consumer.joined:
            return "waiting"
        return "failing" if self._not_read(self.consumer) else "ok"

    def _not_read(self, consumer: Consumer) -> str | None:
        if self._missing:
            return f"The broker does not know, or hides, what is to be read: {', '.join(self._missing)}."
        failed = consumer.failures.recent
        return f"Polls of {self._flow.group} fail: {failed}." if failed else None

    async def _consume(self, stop: asyncio.Event) -> None:
        assignment = self._new_assignment(lambda: consumer.lost())  # noqa: PLW0108 - it is made below
        outcome_handler = OutcomeHandler(self._producer, self._process, self._flow.group, assignment.finish)
        writer = AsideWriter(outcome_handler, self._clock)
        lanes = _lanes(self._flow)
        runner, policy = self._runner(outcome_handler, assignment, lanes, writer)
        consumer = self._new_consumer(runner, policy, assignment)
        self.assignment, self.runner, self.writer, self.consumer = assignment, runner, writer, consumer
        watched = WatchedFlow(consumer, assignment, runner, must_take=not isinstance(policy, PausingPolicy))
        try:
            async with asyncio.TaskGroup() as tasks:
                background = [
                    tasks.create_task(runner.run(), name="runner"),
                    tasks.create_task(writer.run(), name="aside"),
                    tasks.create_task(assignment.keep_committing(lambda: consumer.client), name="commits"),
                    tasks.create_task(_let_in(consumer), name="let-in"),
                    tasks.create_task(self._tell(assignment), name="gauges"),
                    tasks.create_task(self._lag(assignment).run(lambda: consumer.client), name="lag"),
                    tasks.create_task(watch(watched, self._clock, self._listens), name="watchdog"),
                    tasks.create_task(_raise(consumer.failed), name="failures"),
                ]
                await self._start(consumer)
                background += [
                    tasks.create_task(consumer.poll(), name="polls"),
                    tasks.create_task(self._look_for_topics(consumer), name="topics"),
                ]
                await _first_of(stop.wait(), self._halted_by_others())
                await consumer.stop()
                for task in background:
                    task.cancel()
        except BaseExceptionGroup as failures:
            failure = first_failure(failures)
            if isinstance(failure, DeadLetterLimit):
                await consumer.stop()
            else:
                await consumer.abandon()
            raise failure from None
        finally:
            self.consumer = self.runner = self.writer = None
            self._missing = ()

    async def _look_for_topics(self, consumer: Consumer) -> None:
        while True:
            missing = consumer.missing()
            if missing and not self._missing:
                _log.error("Topics to be read are not there.", group=self._flow.group, topics=", ".join(missing))
            self._missing = missing
            telemetry.child(telemetry.MISSING_TOPICS, self._flow.group).set(len(missing))
            await asyncio.sleep(_TOPICS_EVERY)

    async def _listens(self) -> bool:
        return await most_are_reachable(self._kafka)

    async def _start(self, consumer: Consumer) -> None:
        def report(failed: FailedAttempt) -> None:
            _log.warning("The group cannot be joined; trying again.", error_class=type(failed.failure).__name__)

        await until_it_works(consumer.start, _START_AGAIN, report, on=KafkaError)

    async def _halted_by_others(self) -> None:
        while not self.halted:
            await self._control.changed()

    async def _halt(self, reason: str) -> None:
        _log.error("The process halts until an operator resumes it.", process=self._process, reason=reason)
        since, process = self._clock.now(), self._process
        await self._control.write(ControlEntry(kind=HALT, subject=process, reason=reason, since=since, by=process))

    def _oldest_arrival(self) -> float | None:
        parts = [part.oldest_arrival for part in (self.runner, self.writer) if part is not None]
        return min((arrived for arrived in parts if arrived is not None), default=None)

    async def _tell(self, assignment: Assignment) -> None:
        group = self._flow.group
        while True:
            spans = [w.window for p in assignment.trackers.partitions if (w := assignment.trackers.of(p)) is not None]
            telemetry.child(telemetry.SPAN, group).set(max(spans, default=0))
            if isinstance(self._flow, KeyedFlow):
                telemetry.child(telemetry.IN_HAND_BYTES, group).set(self._flow.in_hand.byte_count)
                telemetry.child(telemetry.OLDEST_CLAIM, group).set(self._flow.in_hand.oldest_claim)
            self._tell_of(self.runner)
            await asyncio.sleep(_TELL_EVERY)

    def _tell_of(self, runner: Runner | None) -> None:
        if runner is None:
            return
        group, now, oldest = self._flow.group, self._clock.monotonic(), dict(runner.oldest_by_reason())
        if self.writer is not None and self.writer.oldest_arrival is not None:
            oldest["writing"] = self.writer.oldest_arrival
        telemetry.child(telemetry.TENANT_KEYS, group).set(runner.keys_of_a_tenant)
        for why in _REASONS:
            age = now - oldest.get(why, now)
            telemetry.child(telemetry.OLDEST_IN_HAND, group, why).set(age)
            self._stalls.look(why, age, partial(self._oldest_key, why, runner))

    def _oldest_key(self, why: str, runner: Runner) -> bytes:
        """What waits to be written is with the writer; a runner knows the rest."""
        if why == "writing":
            return self.writer.oldest_key if self.writer is not None else b""
        return runner.oldest_key(why)

    def _new_assignment(self, on_lost: Callable[[], None]) -> Assignment:
        name = partial(full_name, self._kafka)
        return Assignment(self._flow.group, self._clock, name, on_lost, self._flow.ownership)

    def _lag(self, assignment: Assignment) -> PartitionLag:
        name, read = partial(full_name, self._kafka), partial(read_first_records, self._kafka)
        return PartitionLag(self._flow.group, assignment, self._clock, name, read)

    def _new_consumer(self, runner: Runner, policy: AdmissionPolicy, assignment: Assignment) -> Consumer:
        if isinstance(self._flow, SimpleFlow) and isinstance(runner, BatchedRunner):
            return SimpleConsumer(self._kafka, self._flow, runner, policy, assignment, self._clock)
        return Consumer(self._kafka, self._flow, runner, policy, assignment, self._clock)

    def _runner(
        self, outcome_handler: OutcomeHandler, assignment: Assignment, lanes: AsideLanes, writer: AsideWriter
    ) -> tuple[Runner, AdmissionPolicy]:
        flow, is_out_of_order = self._flow, assignment.trackers.is_out_of_order
        if isinstance(flow, BatchedFlow):
            batched = BatchedRunner(flow, outcome_handler, self._clock)
            return batched, PausingPolicy(batched)
        if flow.aside is None:
            keyed = KeyedRunner(flow, outcome_handler, self._clock, is_out_of_order)
            return keyed, PausingPolicy(keyed)
        keyed = KeyedRunner(
            flow, outcome_handler, self._clock, is_out_of_order, AsideTargets(flow.aside, lanes, writer)
        )
        return keyed, AsidePolicy(flow.aside, keyed, lanes, writer, self._clock)


def _lanes(flow: KeyedFlow | BatchedFlow) -> AsideLanes:
    aside = flow.aside if isinstance(flow, KeyedFlow) else None
    if aside is None:
        return AsideLanes(())
    return AsideLanes(aside.topics, [lane.topic for lane in flow.lanes if lane.kind is LaneKind.BULK])


async def _let_in(consumer: Consumer) -> None:
    while True:
        await asyncio.sleep(_LOOK_AGAIN)
        if consumer.gate.waiting_outside and consumer.client is not None:
            consumer.gate.look_again(consumer.client)


async def _raise(failed: asyncio.Future[None]) -> None:
    await failed


async def _first_of(*conditions: Coroutine[Any, Any, object]) -> None:
    tasks = [asyncio.create_task(condition) for condition in conditions]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task


def first_failure(failures: Group) -> BaseException:
    """The first exception of a group, however deep: one bug ends the process, the others followed from it."""
    first = failures.exceptions[0]
    return first_failure(cast("Group", first)) if isinstance(first, BaseExceptionGroup) else first
