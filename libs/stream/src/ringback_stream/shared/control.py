"""The state every process obeys: halts, paused tenants, requests to wait. Read whole at start, then followed."""

import asyncio
from collections.abc import Callable, Collection, Mapping
from typing import cast

import orjson
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError, OffsetOutOfRangeError
from pydantic import ValidationError
from ringback_common import logs
from ringback_common.clock import Clock, SystemClock
from ringback_common.errors import Transient
from ringback_common.outcomes import Message
from ringback_common.settings import KafkaSettings
from ringback_events.keys import control_key
from ringback_events.platform_events import ControlEntry
from ringback_events.topics import CONTROL

from ringback_stream import telemetry
from ringback_stream.consume.poll_failures import PollFailures
from ringback_stream.publish.producer import Producer
from ringback_stream.reading import Batches
from ringback_stream.shared.compacted import open_reader, read_to_end, stop_reader
from ringback_stream.shared.connection import full_name

__all__ = ["ControlTable"]

_log = logs.logger(__name__)

_POLL_MS = 1000
_AFTER_ERROR = 1.0


class ControlTable:
    """What `callrecords.internal.control.v1` says now."""

    def __init__(self, kafka: KafkaSettings, producer: Producer, clock: Clock | None = None) -> None:
        self._kafka = kafka
        self._producer = producer
        self._entries: dict[bytes, ControlEntry] = {}
        self._change = asyncio.Event()
        self._followers: dict[str, Callable[[ControlEntry], None]] = {}
        self._reader: AIOKafkaConsumer | None = None
        self._task: asyncio.Task[None] | None = None
        self.failures = PollFailures("control", clock or SystemClock())

    async def start(self) -> None:
        """Read the topic whole, then follow it in the background.

        Raises:
            ConfigError: the topic does not exist.
            Transient: Kafka cannot be reached; start may be called again.
        """
        reader = open_reader(self._kafka, reset="none")
        try:
            await reader.start()
            values = await read_to_end(reader, full_name(self._kafka, CONTROL.name), range(CONTROL.partitions))
        except KafkaError as failure:
            await stop_reader(reader)
            raise Transient(f"Kafka cannot be read ({type(failure).__name__}).") from None
        except BaseException:  # also a cancellation: nothing else would close this reader yet
            await stop_reader(reader)
            raise
        for key, value in values.items():
            self._apply(key, value)
        self._reader = reader
        self._task = asyncio.create_task(self._follow(reader), name="control")

    async def stop(self) -> None:
        """Stop following; what the following has failed with is for `failed` to raise."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        if self._reader is not None:
            await stop_reader(self._reader)

    async def failed(self) -> None:
        """Wait for the following to end by itself, which it never should; raises whatever ended it."""
        if self._task is not None:
            await asyncio.shield(self._task)

    def get(self, kind: str, subject: str) -> ControlEntry | None:
        """The entry about a subject, if there is one."""
        return self._entries.get(control_key(kind, subject))

    def entries(self, kind: str) -> Mapping[str, ControlEntry]:
        """All entries of a kind, by subject."""
        return {entry.subject: entry for entry in self._entries.values() if entry.kind == kind}

    def follow(self, kind: str, read: Callable[[ControlEntry], None]) -> None:
        """Have all entries of a kind read, what there is at once, then each in the order of the topic.

        Those of this process come too, and only then: where the order decides, an acknowledgement is not enough.
        """
        for entry in self.entries(kind).values():
            read(entry)
        self._followers[kind] = read

    async def changed(self) -> None:
        """Return at the next change."""
        await self._change.wait()

    async def write(self, entry: ControlEntry) -> None:
        """Write an entry; it holds here as soon as it is acknowledged.

        Raises:
            Transient: Kafka did not take it.
        """
        # Without nulls: a process of another release may not know the member, and must obey all the same.
        value = orjson.dumps(entry.model_dump(mode="json", by_alias=True, exclude_none=True))
        key = control_key(entry.kind, entry.subject)
        await self._producer.send(Message(CONTROL.name, key, value))
        self._apply(key, value)

    async def lift(self, kind: str, subject: str) -> None:
        """Remove the entry about a subject.

        Raises:
            Transient: Kafka did not take it.
        """
        key = control_key(kind, subject)
        await self._producer.send(Message(CONTROL.name, key, None))
        self._apply(key, None)

    async def _follow(self, reader: AIOKafkaConsumer) -> None:
        while True:
            try:
                batches = cast("Batches", await reader.getmany(timeout_ms=_POLL_MS))
            except OffsetOutOfRangeError as failure:
                await self._begin_again(reader, failure.args[0])
                continue
            except KafkaError as failure:
                self.failures.note(failure)
                await asyncio.sleep(_AFTER_ERROR)
                continue
            self.failures.succeeded()
            for records in batches.values():
                for record in records:
                    entry = self._apply(record.key or b"", record.value)
                    if entry is not None and (read := self._followers.get(entry.kind)) is not None:
                        read(entry)

    async def _begin_again(self, reader: AIOKafkaConsumer, places: Collection[TopicPartition]) -> None:
        """The topic was made anew or cut: it is read whole. What it no longer says still holds until it is lifted."""
        telemetry.child(telemetry.RESTARTS, "control", CONTROL.name).inc()
        _log.error("The log does not hold what is to be read next; it is read from its beginning.", topic=CONTROL.name)
        await reader.seek_to_beginning(*places)

    def _apply(self, key: bytes, value: bytes | None) -> ControlEntry | None:
        """What holds from now on; None if nothing does."""
        entry: ControlEntry | None = None
        if value is None:
            self._entries.pop(key, None)
        else:
            try:
                entry = self._entries[key] = ControlEntry.model_validate_json(value)
            except ValidationError:
                # An entry of a later release must not stop this one, and what holds stays.
                _log.error("A control entry cannot be read and is ignored.", topic=CONTROL.name)
                return None
        change, self._change = self._change, asyncio.Event()
        change.set()
        return entry
