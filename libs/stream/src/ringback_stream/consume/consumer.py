"""One group member for one flow: what a poll, a rebalance and a stop lead to.

FastStream builds, connects and stops aiokafka's consumer; the polls are our own, for its loop sleeps 5 s over any error
of a poll, whichever partition had it. `BackpressureGate` decides record by record; commits are `Assignment`'s alone.
Flows that FastStream polls are in `ringback_stream.simple`.
"""

import asyncio
from collections.abc import Collection, Generator, Mapping, Sequence
from contextlib import contextmanager, suppress
from itertools import chain
from typing import Any

from aiokafka import TopicPartition
from aiokafka.abc import ConsumerRebalanceListener
from aiokafka.coordinator.assignors.range import RangePartitionAssignor
from aiokafka.errors import (
    BrokerResponseError,
    ConsumerStoppedError,
    KafkaError,
    NoOffsetForPartitionError,
    OffsetOutOfRangeError,
)
from faststream import AckPolicy, FastStream
from faststream.kafka import KafkaBroker
from ringback_common import logs
from ringback_common.backoff import Backoff
from ringback_common.clock import Clock
from ringback_common.retrying import FailedAttempt, until_it_works
from ringback_common.settings import KafkaSettings

from ringback_stream.aside.policy import AdmissionPolicy
from ringback_stream.consume.assignment import Assignment
from ringback_stream.consume.backpressure import BackpressureGate
from ringback_stream.consume.fetched import release_discarded
from ringback_stream.consume.partitions import Partition
from ringback_stream.consume.poll_failures import PollFailures
from ringback_stream.consume.records import KafkaRecord
from ringback_stream.consume.runner import Runner
from ringback_stream.flows import BatchedFlow, KeyedFlow
from ringback_stream.shared.connection import client_options, contract_name, faststream_security, full_name

__all__ = ["ASK_WITHIN", "DRAIN_WITHIN", "GIVE_UP_WITHIN", "Consumer", "broker_options", "subscriber_options"]

_log = logs.logger(__name__)

DRAIN_WITHIN = 10.0
"""Seconds running steps get at a revoke or stop."""
GIVE_UP_WITHIN = 15.0
"""Seconds for steps and last commit together. With the 3 s until a heartbeat reports a rebalance it stays below the
20 s which that waits for us: who is later is expelled, and what it did is done again."""
_SESSION_MS, _HEARTBEAT_MS, _REBALANCE_MS, _MAX_POLL_MS = 15_000, 3_000, 20_000, 300_000
_POLL_MS = 500
"""The longest a poll waits; it ends as soon as there is a record."""
_POLL_AGAIN = 0.1
"""Seconds after a failed poll: so much the other partitions wait, and ten times a second it is tried."""
ASK_WITHIN = 2.0
_POLLED_FIRST, _POLLED_MOST, _POLLED_BYTES = 32, 256, 4 * 1024 * 1024
"""Records of the first poll and of any; bytes aimed at, by the mean of the poll before. They are in memory before
anything is refused: when a poll brought 2,000, a backlog of calls of 86 KB took the store to 900 MiB."""
_FETCHED, _FETCHED_OF_ONE = 4 * 1024 * 1024, 512 * 1024
"""Bytes, compressed, of an answer of the broker, and of one partition in it: the hard bound of what a poll finds. Both
are exceeded for a single larger batch that comes first."""
_RETRY_START, _COMMIT_AGAIN = Backoff(1.0, 1.0), 0.1


class Consumer:
    """One group member for one flow."""

    def __init__(
        self,
        kafka: KafkaSettings,
        flow: KeyedFlow | BatchedFlow,
        runner: Runner,
        policy: AdmissionPolicy,
        assignment: Assignment,
        clock: Clock,
    ) -> None:
        self._kafka = kafka
        self._flow = flow
        self._runner = runner
        self._policy = policy
        self._assignment = assignment
        self.failed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        """Fails with what aiokafka would have swallowed."""
        self.failures = PollFailures(flow.group, clock)
        self.joined = False
        self._ending = asyncio.Event()
        self._giving_up = asyncio.Lock()
        self.gate = BackpressureGate(flow, runner, policy, assignment, clock)
        self._topics = [full_name(kafka, lane.topic.name) for lane in flow.lanes]
        self._portion = _POLLED_FIRST
        self._listener = _Rebalance(self)
        self._broker, self._subscriber = self._subscribe()
        self._app = FastStream(self._broker, logger=None)

    def _subscribe(self) -> tuple[KafkaBroker, Any]:
        """FastStream's broker and subscriber. A subscriber without a handler connects, and its loop does not run."""
        broker = KafkaBroker(self._kafka.servers, logger=None, **broker_options(self._kafka))
        subscriber: Any = broker.subscriber  # pyright: ignore[reportUnknownMemberType] - aiokafka is untyped
        return broker, subscriber(*self._topics, listener=self._listener, **subscriber_options(self._kafka, self._flow))

    async def start(self) -> None:
        """Join the group; keeps trying while Kafka is away."""
        await self._app.start()
        release_discarded(self.client)

    async def stop(self) -> None:
        """Take nothing more, finish what runs, commit, leave the group."""
        self._ending.set()
        await self._give_up("stopped")
        await self._leave()

    async def abandon(self) -> None:
        """Leave the group without a commit: after a bug nothing more is said about what is finished."""
        self._ending.set()
        self.lost()
        self._assignment.end("abandoned")
        await self._leave()

    def lost(self) -> None:
        """The broker says that another member has the assignment: everything is dropped until the next one."""
        self.gate.close()
        self._policy.drop()
        self._runner.drop()

    @property
    def client(self) -> Any:
        """Aiokafka's consumer; None before the start."""
        return self._subscriber.consumer

    def missing(self) -> Collection[str]:
        """Topics to be read that the broker did not name when asked last; while there are any, it is asked again.

        Aiokafka asks every three minutes: until then a topic that was made anew would be assigned to no member.
        """
        client = self.client
        if client is None:
            return ()
        missing = [each for each in self._topics if client.partitions_for_topic(each) is None]
        if missing:
            client._client.force_metadata_update()  # noqa: SLF001 - it has no public place to ask from
        return missing

    def behind(self) -> bool:
        """Whether an assigned partition that is not kept waiting has records that were not taken in."""
        client = self.client
        assigned: Collection[TopicPartition] = client.assignment() if client is not None else ()
        return any(self._is_behind(client, named) for named in assigned if not self.gate.is_outside(named))

    def _is_behind(self, client: Any, named: TopicPartition) -> bool:
        next_offset, end = self._next_offset(named), self._log_end(client, named)
        return next_offset is not None and end is not None and next_offset < end

    def _next_offset(self, named: TopicPartition) -> int | None:
        """The offset that is taken in next; None of a partition that is not assigned."""
        partition = Partition(contract_name(self._kafka, named.topic), named.partition)
        tracker = self._assignment.trackers.of(partition)
        return None if tracker is None else tracker.next_offset

    def _log_end(self, client: Any, named: TopicPartition) -> int | None:
        """Where the log of a partition ends, as far as it is known."""
        end: int | None = client.highwater(named)
        return end

    async def _leave(self) -> None:
        """Leave the group and close.

        A fetch that sleeps between two attempts cuts aiokafka's stop short with its own CancelledError: it is stopped
        in a task apart, as `stop_reader` does, and closed whatever came of it.
        """
        client = self.client
        stopping = asyncio.create_task(self._app.stop(), name="stop")
        try:
            await asyncio.wait((stopping,))
            if not stopping.cancelled():
                stopping.result()
        finally:
            if client is not None:
                await client._client.close()  # noqa: SLF001 - the same

    async def poll(self) -> None:
        """Poll until the consumer is stopped. A poll that fails is counted and repeated.

        Raises:
            Exception: aiokafka's own, not an answer of the broker, and no poll has succeeded for 15 s: its background
            work has ended.
        """
        client = self.client
        while True:
            try:
                batches = await client.getmany(timeout_ms=_POLL_MS, max_records=self._portion)
            except ConsumerStoppedError:
                return
            except Exception as failure:  # noqa: BLE001 - whatever aiokafka raises here
                await self.poll_failed(client, failure)
            else:
                self.failures.succeeded()
                await self._receive(tuple(chain.from_iterable(batches.values())))

    async def poll_failed(self, client: Any, failure: Exception) -> None:
        """Mend what a poll has failed for, or wait a moment."""
        if isinstance(failure, OffsetOutOfRangeError) and await self._resume(client, failure.args[0]):
            return
        if not isinstance(failure, OffsetOutOfRangeError | NoOffsetForPartitionError):
            self.failures.note(failure)
            if self.failures.lasting and not isinstance(failure, BrokerResponseError):
                raise failure
        await asyncio.sleep(_POLL_AGAIN)

    async def _resume(self, client: Any, places: Collection[TopicPartition]) -> bool:
        """Go on where logs begin that do not hold what was to be read; False if there is nothing to do now.

        Until an assignment has begun, and while it is given up, nothing is read: the next assignment seeks by itself.
        """
        epoch = self._assignment.trackers.epoch
        try:
            async with asyncio.timeout(ASK_WITHIN):
                oldest: Mapping[TopicPartition, int] = await client.beginning_offsets(places)
        except (KafkaError, TimeoutError) as failure:
            self.failures.note(failure)
            return False
        if not self.gate.is_open or epoch != self._assignment.trackers.epoch:
            return False
        mended = [named for named, offset in oldest.items() if self._mend(client, named, offset)]
        return bool(mended)

    def _mend(self, client: Any, named: TopicPartition, oldest: int) -> bool:
        """Go on with a partition where its log begins; one that was read ahead, at its next offset."""
        partition = Partition(contract_name(self._kafka, named.topic), named.partition)
        tracker = self._assignment.trackers.of(partition)
        if not self._assignment.resume(partition, oldest) and (tracker is None or not self.gate.is_outside(named)):
            return False
        tracker = self._assignment.trackers.of(partition)
        assert tracker is not None  # noqa: S101 - it is assigned
        self._policy.begin_anew(partition, tracker.next_offset)
        self.gate.go_to(client, named, tracker.next_offset)
        return True

    async def _receive(self, records: Sequence[KafkaRecord]) -> None:
        if not self.gate.is_open:
            await asyncio.sleep(_POLL_AGAIN)  # nothing is taken in while it drains; polling goes on, without haste
            return
        if not records:
            return
        self._portion = _portion(records)
        await self._policy.wait_for_capacity()
        await self._runner.wait_for_capacity()
        self.gate.take(self.client, [(contract_name(self._kafka, record.topic), record) for record in records])
        # A poll that finds prefetched records never suspends: without this thousands would be taken in one go.
        await asyncio.sleep(0)

    async def revoked(self) -> None:
        """The group rebalances: everything is given up, for aiokafka's assignors are eager."""
        with self._failing_loudly():
            await self._give_up("revoked")

    async def assigned(self, partitions: Collection[TopicPartition]) -> None:
        """A new assignment: every partition begins at its committed offset, by an explicit seek.

        Given up when the consumer ends: aiokafka waits for this before it stops, and no longer answers what it waits
        for.
        """
        beginning = asyncio.create_task(self._begin(partitions), name="begin")
        ending = asyncio.create_task(self._ending.wait(), name="ending")
        try:
            with self._failing_loudly():
                await asyncio.wait((beginning, ending), return_when=asyncio.FIRST_COMPLETED)
                if beginning.done():
                    beginning.result()
        finally:
            beginning.cancel()
            ending.cancel()

    @contextmanager
    def _failing_loudly(self) -> Generator[None]:
        """Aiokafka logs a listener's exception and goes on: the flow must end with it."""
        try:
            yield
        except Exception as failure:
            if not self.failed.done():
                self.failed.set_exception(failure)
            raise

    async def _give_up(self, how: str) -> None:
        """A stop may come in the middle of a revoke: one after the other, the second finds nothing left."""
        async with self._giving_up:
            self.gate.close()
            self._assignment.disown()
            with suppress(TimeoutError):
                async with asyncio.timeout(GIVE_UP_WITHIN):
                    await self._drain()
                    await self._commit_the_last()
            self._assignment.end(how)

    async def _drain(self) -> None:
        self._runner.close()
        await self._runner.drain(DRAIN_WITHIN)
        self._policy.drop()

    async def _commit_the_last(self) -> None:
        """Repeat the last commit until the broker has it, as no later one follows."""
        while self.client is not None and self._assignment.trackers.committable():
            await self._assignment.commit(self.client)
            await asyncio.sleep(_COMMIT_AGAIN)

    async def _begin(self, partitions: Collection[TopicPartition]) -> None:
        client = self.client
        starts = await until_it_works(lambda: _starts(client, partitions), _RETRY_START, _not_begun, on=KafkaError)
        if self._ending.is_set():
            return
        for partition, start in starts.items():
            client.seek(partition, start)
        ours = {Partition(contract_name(self._kafka, tp.topic), tp.partition): at for tp, at in starts.items()}
        self._assignment.begin(ours)
        self._policy.begin(ours)
        self._runner.resume()
        self.gate.open()
        self.joined = True
        _log.info("Partitions are assigned.", group=self._flow.group, partitions=len(ours))


class _Rebalance(ConsumerRebalanceListener):
    def __init__(self, consumer: Consumer) -> None:
        self._consumer = consumer

    async def on_partitions_revoked(  # pyright: ignore[reportIncompatibleMethodOverride] - aiokafka awaits it if it can
        self, revoked: Collection[TopicPartition]
    ) -> None:
        if revoked:
            await self._consumer.revoked()

    async def on_partitions_assigned(  # pyright: ignore[reportIncompatibleMethodOverride] - the same
        self, assigned: Collection[TopicPartition]
    ) -> None:
        await self._consumer.assigned(assigned)


def _portion(records: Sequence[KafkaRecord]) -> int:
    """How many records the next poll may bring, if they are as large as these.

    Two at least: a poll for only one record of a batch leaves aiokafka holding the unpacked batch.
    """
    byte_count = sum(len(record.value or b"") for record in records) or 1
    return max(2, min(_POLLED_MOST, _POLLED_BYTES * len(records) // byte_count))


async def _starts(client: Any, partitions: Collection[TopicPartition]) -> Mapping[TopicPartition, int]:
    committed = {partition: await client.committed(partition) for partition in partitions}
    fresh = [partition for partition, offset in committed.items() if offset is None]
    oldest: Mapping[TopicPartition, int] = await client.beginning_offsets(fresh) if fresh else {}
    return {p: oldest[p] if offset is None else offset for p, offset in committed.items()}


def subscriber_options(kafka: KafkaSettings, flow: KeyedFlow | BatchedFlow) -> dict[str, Any]:
    """How every flow of ours is a member of its group."""
    return {
        "ack_policy": AckPolicy.MANUAL,
        "group_id": full_name(kafka, flow.group),
        "auto_offset_reset": "none",
        "session_timeout_ms": _SESSION_MS,
        "heartbeat_interval_ms": _HEARTBEAT_MS,
        "rebalance_timeout_ms": _REBALANCE_MS,
        "max_poll_interval_ms": _MAX_POLL_MS,
        "partition_assignment_strategy": (RangePartitionAssignor,),
        "isolation_level": "read_committed",
        "fetch_min_bytes": 1,
        "fetch_max_wait_ms": 20,
        "fetch_max_bytes": _FETCHED,
        "max_partition_fetch_bytes": _FETCHED_OF_ONE,
        "check_crcs": True,
    }


def broker_options(kafka: KafkaSettings) -> dict[str, Any]:
    """How FastStream connects for every flow of ours.

    Raises:
        ConfigError: a secret or certificate of the settings cannot be read.
    """
    options = client_options(kafka)
    return {
        "security": faststream_security(options),
        "client_id": "ringback",
        "consumer_only": True,
        "allow_auto_create_topics": False,
        "request_timeout_ms": options.get("request_timeout_ms", 40_000),
        "metadata_max_age_ms": options.get("metadata_max_age_ms", 180_000),
        "connections_max_idle_ms": 180_000,
        "graceful_timeout": 5.0,
        "apply_types": False,
    }


def _not_begun(failed: FailedAttempt) -> None:
    error = type(failed.failure).__name__
    _log.warning("The committed offsets cannot be read; trying again.", error_class=error)
