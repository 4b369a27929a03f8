"""A process on the stream: open it, give it flows, run until it is stopped.

async with Stream.open(settings, "fetch", health=health, stop=stop) as stream:
    await stream.run(stop, KeyedFlow(...))
"""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError
from ringback_common import logs
from ringback_common.backoff import Backoff
from ringback_common.clock import Clock, SystemClock
from ringback_common.errors import ConfigError, Transient
from ringback_common.health import Health
from ringback_common.retrying import FailedAttempt, until_it_works
from ringback_common.settings import ProcessSettings
from ringback_events.topics import CONTROL, INTERNAL_DEAD_LETTERS, RESTRICTED_DEAD_LETTERS, STATUS, Topic

from ringback_stream import telemetry
from ringback_stream.flows import BatchedFlow, KeyedFlow
from ringback_stream.process.supervisor import FlowSupervisor, first_failure
from ringback_stream.publish.producer import Producer
from ringback_stream.quota.shared_quota import Limiter, SharedQuota
from ringback_stream.shared.connection import client_options, full_name
from ringback_stream.shared.control import ControlTable
from ringback_stream.shared.status import StatusReporter
from ringback_stream.throttles import SharedThrottles

__all__ = ["StreamRuntime"]

_log = logs.logger(__name__)

_AGAIN = Backoff(1.0, 1.0)
_SAY_EVERY = 10.0


class StreamRuntime:
    """Everything a process shares with Kafka: one producer, the control table, throttles, status reports, its flows."""

    def __init__(self, settings: ProcessSettings, name: str, health: Health, clock: Clock) -> None:
        self._kafka = settings.kafka
        self._name = name
        self._health = health
        self._clock = clock
        self._connected = False
        self.supervisors: list[FlowSupervisor] = []
        """Of the flows that run."""
        self.producer = Producer(settings.kafka)
        self.control = ControlTable(settings.kafka, self.producer, clock)
        self.status = StatusReporter(name, self.producer, clock)
        self.throttles = SharedThrottles(name, self.status.instance, self.control, clock)
        self._quota: SharedQuota | None = None

    @classmethod
    @asynccontextmanager
    async def open(
        cls,
        settings: ProcessSettings,
        name: str,
        *,
        health: Health,
        topics: Sequence[Topic] = (),
        stop: asyncio.Event | None = None,
        clock: Clock | None = None,
    ) -> "AsyncGenerator[StreamRuntime]":
        """Connect, waiting as long as it takes; until then the process is live and not ready.

        Args:
            settings: where Kafka is.
            name: the process in dead letters, status and control, e.g. `fetch`.
            health: gets the checks of the stream.
            topics: what must exist besides the lanes of the flows, e.g. the topics written to.
            stop: gives up waiting; `run` then returns at once.
            clock: for tests.

        Raises:
            ConfigError: a topic is missing, or a setting unusable.
        """
        stream = cls(settings, name, health, clock or SystemClock())
        health.ready("kafka", lambda: None if stream._connected else "Kafka has not been reached yet.")
        health.ready("control", stream._not_following)
        health.ready("flows", lambda: None if stream.supervisors else "The flows do not run yet.")
        waiting = asyncio.create_task(stream._connect(topics), name="connect")
        try:
            await _until(waiting, stop)
            yield stream
        finally:
            waiting.cancel()
            await asyncio.gather(waiting, return_exceptions=True)  # what it failed with is raised above
            await stream.throttles.flush()
            if stream._quota is not None and stream._connected:
                await stream._quota.leave()
            await stream.control.stop()
            await stream.producer.stop()

    def share_quota(self, quota: int, limiter: Limiter) -> None:
        """Share a quota with all processes that do so, while the flows run: the limiter is granted a part from then on.

        Args:
            quota: requests in any 20 s, the same number in all of them.
            limiter: lets the requests of this process pass.
        """
        name = f"{self._name}/{self.status.instance}"
        self._quota = SharedQuota(name, quota, limiter, self.control, self._clock)
        self.status.add("quota", self._quota.facts)

    async def run(self, stop: asyncio.Event, *flows: KeyedFlow | BatchedFlow) -> None:
        """Run the flows until `stop`: then nothing is begun, what runs is finished and committed, the groups are left.

        Raises:
            ConfigError: a lane's topic is missing.
            Exception: whatever a flow could not name; nothing is committed for it, and the process is to end.
        """
        if stop.is_set() or not self._connected:
            return
        await self._require([lane.topic for flow in flows for lane in flow.lanes])
        self.supervisors = [self._supervise(flow) for flow in flows]
        try:
            async with asyncio.TaskGroup() as tasks:
                coroutines = [self.status.run(), self.throttles.run(), self.control.failed()]
                if self._quota is not None:
                    coroutines.append(self._quota.run())
                beside = [tasks.create_task(coroutine) for coroutine in coroutines]
                running = [tasks.create_task(supervisor.run(stop)) for supervisor in self.supervisors]
                await asyncio.wait(running)
                for task in beside:
                    task.cancel()
        except BaseExceptionGroup as failures:
            raise first_failure(failures) from None

    def _supervise(self, flow: KeyedFlow | BatchedFlow) -> FlowSupervisor:
        supervisor = FlowSupervisor(self._kafka, self._name, flow, self.producer, self.control, self._clock)
        self._health.ready(flow.group, supervisor.not_ready)
        self._health.live(flow.group, supervisor.not_live)
        self.status.add("stream" if flow.group.endswith(self._name) else flow.group, supervisor.facts)
        return supervisor

    def _not_following(self) -> str | None:
        failed = self.control.failures.recent
        return f"The control topic cannot be read: {failed}." if failed else None

    async def _connect(self, topics: Sequence[Topic]) -> None:
        async def attempt() -> None:
            await self.producer.start()
            await self._require([CONTROL, STATUS, INTERNAL_DEAD_LETTERS, RESTRICTED_DEAD_LETTERS, *topics])
            await self.control.start()

        await until_it_works(attempt, _AGAIN, _unreachable, report_every=_SAY_EVERY)
        self._connected = True

    async def _require(self, topics: Sequence[Topic]) -> None:
        existing = await self._existing_topics()
        for topic in topics:
            if full_name(self._kafka, topic.name) not in existing:
                raise ConfigError(
                    f"The topic {full_name(self._kafka, topic.name)} does not exist: run `ringback topics apply`."
                )

    async def _existing_topics(self) -> frozenset[str]:
        admin = AIOKafkaAdminClient(**client_options(self._kafka), client_id="ringback")
        try:
            await admin.start()
            return frozenset(await admin.list_topics())
        except KafkaError as failure:
            raise Transient(f"Kafka cannot be reached ({type(failure).__name__}).") from None
        finally:
            await admin.close()


async def _until(task: asyncio.Task[None], stop: asyncio.Event | None) -> None:
    """Until the task is done, or `stop` is set."""
    if stop is None:
        return await task
    stopping = asyncio.create_task(stop.wait())
    try:
        await asyncio.wait((task, stopping), return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            task.result()
    finally:
        stopping.cancel()


def _unreachable(failed: FailedAttempt) -> None:
    telemetry.KAFKA_WAITS.inc()
    _log.warning("Kafka cannot be reached; waiting for it.", reason=str(failed.failure))
