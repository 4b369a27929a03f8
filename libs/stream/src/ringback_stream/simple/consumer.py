"""One group member whose polls are FastStream's: watched, for it sleeps 5 s over any error of Kafka and goes on."""

import asyncio
from collections.abc import Collection, Mapping
from contextlib import suppress
from typing import Any

from aiokafka import TopicPartition
from aiokafka.errors import KafkaError, OffsetOutOfRangeError
from faststream.kafka import KafkaBroker
from ringback_common.clock import Clock
from ringback_common.settings import KafkaSettings

from ringback_stream.aside.policy import AdmissionPolicy
from ringback_stream.consume.assignment import Assignment
from ringback_stream.consume.batch_runner import BatchedRunner
from ringback_stream.consume.consumer import ASK_WITHIN, Consumer
from ringback_stream.simple.acknowledgement import Batch
from ringback_stream.simple.flow import SimpleFlow
from ringback_stream.simple.log import FastStreamLog
from ringback_stream.simple.subscription import subscribe

__all__ = ["SimpleConsumer"]

_ASK_EVERY = 1.0
_SLEEPS = 5.0
"""Seconds that FastStream sleeps over an error of Kafka."""


class SimpleConsumer(Consumer):
    """A `Consumer` whose records come from FastStream's loop, batch by batch.

    Each batch is taken in as any other consumer's is; the handler returns when nothing of it is in hand any more.
    """

    def __init__(
        self,
        kafka: KafkaSettings,
        flow: SimpleFlow,
        runner: BatchedRunner,
        policy: AdmissionPolicy,
        assignment: Assignment,
        clock: Clock,
    ) -> None:
        self._simple, self._batches, self._clock = flow, runner, clock
        self._caught: asyncio.Queue[KafkaError] = asyncio.Queue()
        self._failed_at = float("-inf")
        self._ends: dict[TopicPartition, int] = {}
        super().__init__(kafka, flow, runner, policy, assignment, clock)

    def _subscribe(self) -> tuple[KafkaBroker, Any]:
        logger = FastStreamLog(self._catch)
        made = subscribe(self._kafka, self._simple, self._handle, self._acknowledge, self._fail, logger, self._listener)
        made[1].max_records = self._portion
        return made

    async def _handle(self, batch: Batch) -> None:
        """Take a batch in, and wait until all of it is finished, or given back at a rebalance or stop."""
        await self._receive(batch)
        self._subscriber.max_records = self._portion
        await self._batches.emptied()

    async def _acknowledge(self) -> None:
        """Commit what is finished; at a stop the last commit is the stop's, after a bug there is none."""
        if not self._ending.is_set():
            await self._assignment.commit(self.client)

    def _catch(self, failure: BaseException) -> None:
        """An exception that FastStream has caught: of a poll, it is counted and mended; any other ends the process."""
        if isinstance(failure, KafkaError):
            self._caught.put_nowait(failure)
        else:
            self._fail(failure)

    def _fail(self, failure: BaseException) -> None:
        if not self.failed.done():
            self.failed.set_exception(failure)

    async def poll(self) -> None:
        """Watch FastStream's polls: mend what one has failed for, and ask once a second where the logs end.

        Raises:
            KafkaError: no answer of the broker, and polls have failed with it for 15 s.
        """
        client = self.client
        while not self._ending.is_set():
            try:
                async with asyncio.timeout(_ASK_EVERY):
                    failure = await self._caught.get()
            except TimeoutError:
                await self._look(client)
            else:
                self._failed_at = self._clock.monotonic()
                self._fetch_again(client, failure)
                await self.poll_failed(client, await self._of_all_partitions(client, failure))

    async def _look(self, client: Any) -> None:
        if self._clock.monotonic() - self._failed_at > 2 * _SLEEPS:
            self.failures.succeeded()
        with suppress(KafkaError, TimeoutError):
            async with asyncio.timeout(ASK_WITHIN):
                self._ends.update(await client.end_offsets(client.assignment()))

    def _fetch_again(self, client: Any, failure: KafkaError) -> None:
        """Forget a refused topic's other errors: aiokafka keeps one for each partition, and each costs 5 s."""
        for named in client.assignment():
            next_offset = self._next_offset(named)
            if next_offset is not None and named.topic in failure.args:
                client.seek(named, next_offset)

    async def _of_all_partitions(self, client: Any, failure: KafkaError) -> KafkaError:
        """A failure for all partitions it is true of: FastStream would sleep 5 s over each that is out of range."""
        if not isinstance(failure, OffsetOutOfRangeError):
            return failure
        heads = {named: self._next_offset(named) for named in client.assignment()}
        with suppress(KafkaError, TimeoutError):
            async with asyncio.timeout(ASK_WITHIN):
                oldest: Mapping[TopicPartition, int] = await client.beginning_offsets(heads)
                ends: Mapping[TopicPartition, int] = await client.end_offsets(heads)
            still = {
                at: next_offset
                for at, next_offset in heads.items()
                if next_offset is not None and next_offset == self._next_offset(at)
            }
            outside = {
                at: next_offset for at, next_offset in still.items() if not oldest[at] <= next_offset <= ends[at]
            }
            return OffsetOutOfRangeError(outside | failure.args[0])
        return failure

    def behind(self) -> bool:
        """Whether records were not taken in that the broker says are there; while it refuses polls, that is known."""
        return self.failures.recent is None and super().behind()

    def _log_end(self, client: Any, named: TopicPartition) -> int | None:  # noqa: ARG002 - aiokafka's value is as old as its last fetch
        return self._ends.get(named)

    async def assigned(self, partitions: Collection[TopicPartition]) -> None:
        """As for any consumer; until the committed offsets are known nothing is fetched.

        aiokafka would find a partition without an offset meanwhile, and FastStream sleep 5 s over it.
        """
        self.client.pause(*partitions)
        for named in partitions:
            self.client.seek(named, 0)
        await super().assigned(partitions)
        if not self._ending.is_set():
            self.client.resume(*partitions)
