"""The producer of a flow: one acknowledged write per message, stage after stage, with bounded memory."""

import asyncio
from collections.abc import Callable, Sequence

from aiokafka.errors import KafkaError, MessageSizeTooLargeError, TopicAuthorizationFailedError
from ringback_common import logs
from ringback_common.backoff import Backoff
from ringback_common.errors import ConfigError, RingbackError, Transient
from ringback_common.outcomes import Message
from ringback_common.settings import KafkaSettings

from ringback_stream import telemetry
from ringback_stream.publish.capacity import CapacityLimit
from ringback_stream.publish.client import LARGEST_REQUEST, POISON, Client, may_pass, size_of

__all__ = ["WRITE_AGAIN", "MessageTooLarge", "Producer"]

_log = logs.logger(__name__)

_UNACKED_BYTES = 16 * 1024 * 1024
_UNACKED_MESSAGES = 2000
_TRIES = 3
WRITE_AGAIN = Backoff(0.25, 5.0)
"""Waits between tries to write what must be written before anything else may be done about its record."""


class MessageTooLarge(RingbackError):  # noqa: N818 - the taxonomy's word
    """The broker refuses this message for its size; the record that led to it goes to the dead letters."""

    def __init__(self, topic: str) -> None:
        super().__init__(f"a message for {topic} is larger than the topic allows")
        self.topic = topic


class Producer:
    """Idempotent, acks=all, zstd; replaced when the broker has refused a batch."""

    def __init__(self, kafka: KafkaSettings) -> None:
        self._kafka = kafka
        self._client = Client(kafka)
        self._replacing = asyncio.Lock()
        self._alone = asyncio.Lock()
        self._retiring: set[asyncio.Task[None]] = set()
        self._unacknowledged = CapacityLimit(_UNACKED_MESSAGES, _UNACKED_BYTES)

    async def start(self) -> None:
        """Connect.

        Raises:
            Transient: no broker answers; start may be called again.
        """
        try:
            await self._client.start()
        except Transient:
            self._client = Client(self._kafka)
            raise

    async def stop(self) -> None:
        """Flush and disconnect; call it last."""
        await asyncio.gather(self._client.retire(), *self._retiring)

    async def send(self, message: Message) -> None:
        """Write one message; returns when all in-sync replicas have it.

        Waits first while 16 MiB or 2,000 messages are unacknowledged. A send that an unreachable broker leaves
        unanswered stays pending: an idempotent producer never expires it, and a waiting caller may be cancelled.

        Raises:
            MessageTooLarge: the broker refuses it for its size.
            Transient: Kafka could not be asked.
            ConfigError: the topic may not be written.
        """
        byte_count = size_of(message)
        if byte_count > LARGEST_REQUEST:
            raise MessageTooLarge(message.topic)
        async with self._unacknowledged.hold(byte_count):
            await self._deliver(message)
        telemetry.child(telemetry.PRODUCED, message.topic).inc()

    async def stages(self, stages: Sequence[Sequence[Message]]) -> None:
        """Write stage after stage; the next begins when the one before is acknowledged as a whole.

        Raises:
            MessageTooLarge, Transient, ConfigError: as `send`; later stages are not begun.
        """
        for stage in stages:
            if len(stage) == 1:
                await self.send(stage[0])
                continue
            # All are awaited even if one fails: nothing of this stage is still under way when it is answered for.
            results = await asyncio.gather(*(self.send(message) for message in stage), return_exceptions=True)
            for result in results:
                if isinstance(result, BaseException):
                    raise result

    async def send_together(self, messages: Sequence[Message], acked: Callable[[int], None]) -> list[int]:
        """Write many messages, batched by partition; `acked` is called with the index of each as soon as it is.

        They carry their own trace context. Their caller limits them: they do not count to the limit of `send`.

        Returns:
            The indices of those that came back unwritten, or are unknown: `send` finds out the reason of each.
        """
        client, placed = self._client, dict[tuple[str, int], list[int]]()
        unwritten: list[int] = []
        for index, message in enumerate(messages):
            try:
                place = (message.topic, await client.partition_of(message.topic, message.key))
            except KafkaError:
                unwritten.append(index)
            else:
                placed.setdefault(place, []).append(index)

        async def write(place: tuple[str, int], indices: Sequence[int]) -> None:
            try:
                await client.deliver_together(*place, [messages[index] for index in indices])
            except KafkaError:
                unwritten.extend(indices)
                return
            telemetry.child(telemetry.PRODUCED, place[0]).inc(len(indices))
            for index in indices:
                acked(index)

        await asyncio.gather(*(write(place, indices) for place, indices in placed.items()))
        return sorted(unwritten)

    async def _deliver(self, message: Message) -> None:
        """Send once; over another producer if the broker will take nothing more from this one."""
        for _ in range(_TRIES):
            client = self._client
            try:
                return await client.deliver(message)
            except MessageSizeTooLargeError:
                await self._replace(client)
                return await self._deliver_alone(message)
            except POISON:
                await self._replace(client)
            except KafkaError as failure:
                raise _named(failure, message.topic) from None
        raise Transient("Kafka refused a message in three producers.")

    async def _deliver_alone(self, message: Message) -> None:
        """Send one message of a refused batch over a client of its own: only what is refused so is too large.

        One message at a time: a batch may have held hundreds, and each client opens connections.

        Raises:
            MessageTooLarge: the broker refuses this very message.
            Transient, ConfigError: as `send`.
        """
        async with self._alone:
            alone = Client(self._kafka)
            await alone.start()
            try:
                await alone.deliver(message)
            except MessageSizeTooLargeError:
                raise MessageTooLarge(message.topic) from None
            except POISON as failure:  # of a client that has sent nothing else: a broker that restarts
                raise Transient(f"Kafka did not take a message ({type(failure).__name__}).") from None
            except KafkaError as failure:
                raise _named(failure, message.topic) from None
            finally:
                await alone.retire()

    async def _replace(self, poisoned: Client) -> None:
        async with self._replacing:
            if self._client is not poisoned:
                return
            fresh = Client(self._kafka)
            await fresh.start()
            self._client = fresh
            telemetry.PRODUCERS_REPLACED.inc()
            _log.warning("The producer is replaced, for the broker refused a batch of it.")
        task = asyncio.create_task(poisoned.retire(), name="retire-producer")
        self._retiring.add(task)
        task.add_done_callback(self._retiring.discard)


def _named(failure: KafkaError, topic: str) -> Exception:
    """What a failed write means to its caller: an ACL to be set, something that may pass, or a bug, as it is."""
    if isinstance(failure, TopicAuthorizationFailedError):
        return ConfigError(f"This process may not write the topic {topic}: check its ACLs.")
    return Transient(f"Kafka did not take a message ({type(failure).__name__}).") if may_pass(failure) else failure
