"""Group commit for the webhook: one produce round in flight; what arrives during it forms the next.

An idempotent producer never expires a batch it has sent, so a deadline is only our wait: while a round is overdue,
new writes are refused at once instead of being queued behind it.
"""

import asyncio
from collections.abc import Iterable, Sequence
from contextlib import suppress

from aiokafka.errors import KafkaError
from ringback_common import logs
from ringback_common.backoff import Backoff
from ringback_common.clock import Clock, SystemClock
from ringback_common.errors import Transient
from ringback_common.outcomes import Message
from ringback_common.retrying import FailedAttempt, until_it_works
from ringback_common.settings import KafkaSettings

from ringback_stream import telemetry
from ringback_stream.publish.client import POISON, Client, size_of, traced

__all__ = ["GroupCommitProducer", "WriteRefused"]

_log = logs.logger(__name__)

_SAY_EVERY = 10.0
_AGAIN = Backoff(1.0, 1.0)


class WriteRefused(Transient):
    """Not even tried: Kafka is not connected, a round is overdue, or too much waits."""


class _Write:
    """One caller's messages and the answer it waits for."""

    __slots__ = ("answer", "byte_count", "messages")

    def __init__(self, messages: Sequence[Message]) -> None:
        # The context is taken here, in the caller's span; the round has none.
        self.messages = [Message(m.topic, m.key, m.value, traced(m)) for m in messages]
        self.byte_count = sum(size_of(message) for message in messages)
        self.answer: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def fail(self, failure: Transient) -> None:
        if not self.answer.done():
            self.answer.set_exception(failure)

    def succeed(self) -> None:
        if not self.answer.done():
            self.answer.set_result(None)


class GroupCommitProducer:
    """Writes of many callers, acknowledged together.

    Args:
        kafka: where.
        deadline: seconds from `write` to its answer.
        max_pending_bytes: bytes waiting and in flight. Beyond it writes are refused and do not wait as in
            `ringback_stream.publish.capacity`: the caller answers 503 at once, and Graph sends again.
    """

    def __init__(
        self,
        kafka: KafkaSettings,
        *,
        deadline: float = 2.0,
        max_pending_bytes: int = 32 * 1024 * 1024,
        clock: Clock | None = None,
    ) -> None:
        self._kafka = kafka
        self._deadline = deadline
        self._max_bytes = max_pending_bytes
        self._clock: Clock = clock or SystemClock()
        self._client: Client | None = None
        self._next: list[_Write] = []
        self._bytes = 0
        self._round_began: float | None = None
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._retiring: asyncio.Task[None] | None = None
        self._stopping = False

    @property
    def accepting(self) -> bool:
        """Whether a write would be tried."""
        return self._refusal(0) is None

    async def start(self) -> None:
        """Begin connecting in the background; until then writes are refused."""
        self._task = asyncio.create_task(self._run(), name="group-commit")

    async def stop(self) -> None:
        """Finish what waits, at most for one deadline, and disconnect."""
        self._stopping = True
        self._wake.set()
        if self._task is not None:
            await asyncio.wait((self._task,), timeout=self._deadline)
            self._task.cancel()
            await asyncio.wait((self._task,))  # how it ended is in `failed`
        self._fail_waiting("stopping")
        if self._client is not None:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._client.retire(), self._deadline)

    async def failed(self) -> None:
        """Wait for the background work to end by itself, which it never should; raises whatever ended it."""
        if self._task is not None:
            await asyncio.shield(self._task)

    async def write(self, messages: Sequence[Message]) -> None:
        """Write messages; returns when all in-sync replicas have all of them.

        Raises:
            WriteRefused: not tried.
            Transient: tried: no answer within the deadline, or refused; some may be written, now or later.
        """
        if not messages:
            return
        write = _Write(messages)
        reason = self._refusal(write.byte_count)
        if reason is not None:
            telemetry.child(telemetry.REFUSED_WRITES, reason).inc()
            raise WriteRefused(f"Kafka cannot take it now ({reason}).")
        self._bytes += write.byte_count
        write.answer.add_done_callback(lambda answer: self._settled(answer, write.byte_count))
        self._next.append(write)
        self._wake.set()
        done, _ = await asyncio.wait((write.answer,), timeout=self._deadline)
        if not done:
            raise Transient("Kafka did not acknowledge within the deadline.")
        write.answer.result()

    def _settled(self, answer: asyncio.Future[None], byte_count: int) -> None:
        self._bytes -= byte_count
        if not answer.cancelled():
            answer.exception()  # read it, for the caller may have gone

    def _refusal(self, byte_count: int) -> str | None:
        if self._client is None or self._stopping:
            return "not_connected"
        if self._round_began is not None and self._clock.monotonic() - self._round_began > self._deadline:
            return "overdue"
        return "memory" if self._bytes + byte_count > self._max_bytes else None

    async def _run(self) -> None:
        while not (self._stopping and not self._next):
            client = self._client or await self._connect()
            await self._wake.wait()
            self._wake.clear()
            if not self._next:
                continue
            writes, self._next = self._next, []
            self._round_began = self._clock.monotonic()
            overdue = asyncio.get_running_loop().call_later(self._deadline, self._fail_waiting, "overdue")
            try:
                poisoned = await self._round(client, writes)
            finally:
                overdue.cancel()
                telemetry.ROUND_SECONDS.observe(self._clock.monotonic() - self._round_began)
                self._round_began = None
            if self._next:
                self._wake.set()
            if poisoned:
                await self._replace(client)

    async def _round(self, client: Client, writes: Sequence[_Write]) -> bool:
        """Write a round; a partition's answer is that of the writes with a message there. True: poisoned."""
        placed: dict[tuple[str, int], list[_Write]] = {}
        batches: dict[tuple[str, int], list[Message]] = {}
        try:
            for write in writes:
                for message in write.messages:
                    place = (message.topic, await client.partition_of(message.topic, message.key))
                    placed.setdefault(place, []).append(write)
                    batches.setdefault(place, []).append(message)
        except KafkaError as failure:
            self._answer(writes, failure)
            return False
        answers = await asyncio.gather(
            *(client.deliver_together(*place, messages) for place, messages in batches.items()), return_exceptions=True
        )
        poisoned = False
        for place, answer in zip(batches, answers, strict=True):
            if isinstance(answer, KafkaError):
                self._answer(placed[place], answer)
                poisoned = poisoned or isinstance(answer, POISON)
            elif isinstance(answer, BaseException):
                raise answer
        for write in writes:
            write.succeed()
        return poisoned

    def _answer(self, writes: Iterable[_Write], failure: KafkaError) -> None:
        for write in writes:
            write.fail(Transient(f"Kafka did not take it ({type(failure).__name__})."))

    def _fail_waiting(self, reason: str) -> None:
        """What waits behind an overdue round is answered now: it was not sent, and its caller will come again."""
        waiting, self._next = self._next, []
        for write in waiting:
            telemetry.child(telemetry.REFUSED_WRITES, reason).inc()
            write.fail(WriteRefused(f"Kafka cannot take it now ({reason})."))

    async def _connect(self) -> Client:
        self._client = await until_it_works(self._started, _AGAIN, _unreachable, report_every=_SAY_EVERY)
        return self._client

    async def _started(self) -> Client:
        client = Client(self._kafka)
        await client.start()
        return client

    async def _replace(self, poisoned: Client) -> None:
        self._client = None
        telemetry.PRODUCERS_REPLACED.inc()
        _log.warning("The producer is replaced, for the broker refused a batch of it.")
        self._retiring = asyncio.create_task(poisoned.retire(), name="retire-producer")


def _unreachable(_failed: FailedAttempt) -> None:
    telemetry.KAFKA_WAITS.inc()
    _log.warning("Kafka cannot be reached; trying again.")
