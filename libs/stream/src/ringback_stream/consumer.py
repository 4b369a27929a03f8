"""FastStream's shell around one flow: its subscription, and what a record, a rebalance and a stop lead to.

FastStream's own acknowledgements, parsers and decoders are switched off: a batch handler hands the raw records to
`Intake`, which decides record by record; commits are `Assignment`'s alone.
"""

import asyncio
from collections.abc import Collection, Generator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from aiokafka import TopicPartition
from aiokafka.abc import ConsumerRebalanceListener
from aiokafka.coordinator.assignors.range import RangePartitionAssignor
from aiokafka.errors import KafkaError
from faststream import AckPolicy, FastStream
from faststream.kafka import KafkaBroker
from faststream.kafka.message import KafkaMessage
from ringback_common import logs
from ringback_common.clock import Clock
from ringback_common.settings import KafkaSettings

from ringback_stream.assignment import Assignment
from ringback_stream.connection import client_options, contract_name, faststream_security, full_name
from ringback_stream.diversion import Diversion
from ringback_stream.flows import BatchedFlow, KeyedFlow
from ringback_stream.intake import Intake
from ringback_stream.partitions import Partition
from ringback_stream.records import Record
from ringback_stream.runner import Runner

__all__ = ["DRAIN_WITHIN", "Consumer"]

_log = logs.logger(__name__)

DRAIN_WITHIN = 15.0
"""Seconds running steps get at a revoke or stop; below the 20 s a rebalance waits for us."""
_SESSION_MS, _HEARTBEAT_MS, _REBALANCE_MS, _MAX_POLL_MS = 15_000, 3_000, 20_000, 300_000
_POLL_MS = 5
"""FastStream sleeps this long after an empty poll: half of it is added to a record's latency when idle."""
_RETRY_START = 1.0


class Consumer:
    """One group member for one flow."""

    def __init__(
        self,
        kafka: KafkaSettings,
        flow: KeyedFlow | BatchedFlow,
        runner: Runner,
        diversion: Diversion,
        assignment: Assignment,
        clock: Clock,
    ) -> None:
        self._kafka = kafka
        self._flow = flow
        self._runner = runner
        self._diversion = diversion
        self._assignment = assignment
        self.failed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        """Fails with what FastStream or aiokafka would have swallowed."""
        self.joined = False
        self.intake = Intake(flow, runner, diversion, assignment, clock)
        self._broker = _broker(kafka)
        topics = [full_name(kafka, lane.topic.name) for lane in flow.lanes]
        self._subscriber = self._broker.subscriber(
            *topics,
            batch=True,
            ack_policy=AckPolicy.MANUAL,
            parser=_unparsed,
            decoder=_undecoded,
            listener=_Rebalance(self),
            group_id=flow.group,
            auto_offset_reset="earliest",
            session_timeout_ms=_SESSION_MS,
            heartbeat_interval_ms=_HEARTBEAT_MS,
            rebalance_timeout_ms=_REBALANCE_MS,
            max_poll_interval_ms=_MAX_POLL_MS,
            partition_assignment_strategy=(RangePartitionAssignor,),
            isolation_level="read_committed",
            batch_timeout_ms=_POLL_MS,
            max_records=flow.limits.records if isinstance(flow, BatchedFlow) else 256,
            fetch_min_bytes=1,
            fetch_max_wait_ms=20,
            fetch_max_bytes=16 * 1024 * 1024,
            max_partition_fetch_bytes=2 * 1024 * 1024,
            check_crcs=True,
        )
        self._subscriber(self._receive)
        self._app = FastStream(self._broker, logger=None)

    async def start(self) -> None:
        """Join the group; keeps trying while Kafka is away."""
        await self._app.start()

    async def stop(self) -> None:
        """Take nothing more, finish what runs, commit, leave the group."""
        await self._give_up("stopped")
        await self._app.stop()

    async def abandon(self) -> None:
        """Leave the group without a commit: after a bug nothing more is said about what is finished."""
        self.lost()
        self._assignment.end("abandoned")
        await self._app.stop()

    def lost(self) -> None:
        """The broker says the assignment is somebody else's: everything is dropped until the next one."""
        self.intake.close()
        self._diversion.drop()
        self._runner.drop()

    @property
    def client(self) -> Any:
        """Aiokafka's consumer; None before the start."""
        return self._subscriber.consumer

    def behind(self) -> bool:
        """Whether an assigned partition that is not kept waiting has records that were not taken in."""
        client = self.client
        assigned: Collection[TopicPartition] = client.assignment() if client is not None else ()
        return any(self._is_behind(client, named) for named in assigned if not self.intake.is_outside(named))

    def _is_behind(self, client: Any, named: TopicPartition) -> bool:
        watermark = self._assignment.watermarks.of(Partition(contract_name(self._kafka, named.topic), named.partition))
        end: int | None = client.highwater(named)
        return watermark is not None and end is not None and watermark.head < end

    async def _receive(self, message: Any) -> None:
        records: Sequence[Record] = message.raw_message
        with self._failing_loudly():
            await self._diversion.room()
            await self._runner.room()
            self.intake.take(self.client, [(contract_name(self._kafka, record.topic), record) for record in records])
            # A poll that finds prefetched records never suspends: without this thousands would be taken in one go.
            await asyncio.sleep(0)

    async def revoked(self) -> None:
        """The group rebalances: everything is given up, for aiokafka's assignors are eager."""
        with self._failing_loudly():
            await self._give_up("revoked")

    async def assigned(self, partitions: Collection[TopicPartition]) -> None:
        """A new assignment: every partition begins at its committed offset, by an explicit seek."""
        with self._failing_loudly():
            await self._begin(partitions)

    @contextmanager
    def _failing_loudly(self) -> Generator[None]:
        """FastStream logs a handler's exception and goes on, aiokafka a listener's: the flow must hear of it."""
        try:
            yield
        except Exception as failure:
            if not self.failed.done():
                self.failed.set_exception(failure)
            raise

    async def _give_up(self, how: str) -> None:
        self.intake.close()
        self._assignment.disown()
        await asyncio.gather(self._diversion.drain(DRAIN_WITHIN), self._runner.drain(DRAIN_WITHIN))
        if self.client is not None and self._assignment.watermarks.partitions:
            await self._assignment.commit(self.client)
        self._assignment.end(how)

    async def _begin(self, partitions: Collection[TopicPartition]) -> None:
        client = self.client
        while True:
            try:
                starts = await _starts(client, partitions)
                break
            except KafkaError as failure:
                _log.warning("The committed offsets cannot be read; trying again.", error_class=type(failure).__name__)
                await asyncio.sleep(_RETRY_START)
        for partition, start in starts.items():
            client.seek(partition, start)
        ours = {Partition(contract_name(self._kafka, tp.topic), tp.partition): at for tp, at in starts.items()}
        self._assignment.begin(ours)
        self._diversion.resume()
        self._runner.resume()
        self.intake.open()
        self.joined = True
        _log.info("Partitions are assigned.", group=self._flow.group, partitions=len(ours))

    def _named(self, partition: Partition) -> TopicPartition:
        return TopicPartition(full_name(self._kafka, partition.topic), partition.number)


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


async def _starts(client: Any, partitions: Collection[TopicPartition]) -> Mapping[TopicPartition, int]:
    committed = {partition: await client.committed(partition) for partition in partitions}
    fresh = [partition for partition, offset in committed.items() if offset is None]
    oldest: Mapping[TopicPartition, int] = await client.beginning_offsets(fresh) if fresh else {}
    return {p: oldest[p] if offset is None else offset for p, offset in committed.items()}


def _broker(kafka: KafkaSettings) -> KafkaBroker:
    options = client_options(kafka)
    return KafkaBroker(
        kafka.bootstrap_servers,
        security=faststream_security(options),
        client_id="ringback",
        consumer_only=True,
        allow_auto_create_topics=False,
        request_timeout_ms=options.get("request_timeout_ms", 40_000),
        metadata_max_age_ms=options.get("metadata_max_age_ms", 180_000),
        connections_max_idle_ms=180_000,
        graceful_timeout=5.0,
        apply_types=False,
        logger=None,
    )


async def _unparsed(message: Any, original: Any) -> KafkaMessage:  # noqa: ARG001 - FastStream passes its own parser
    """Wrap the raw records and look into none: one undecodable header must not cost the batch."""
    nobody: Any = None  # nobody acknowledges through the message
    return KafkaMessage(raw_message=message, body=b"", consumer=nobody)


async def _undecoded(message: KafkaMessage) -> KafkaMessage:
    """Hand the message itself to the handler."""
    return message
