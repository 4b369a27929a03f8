"""The run itself: partition by partition, first what is there, then what has to follow.

The end of each partition is noted before anything is published, so that a run never meets its own publications. What
was interrupted is begun again from nothing but the topics: a call whose record carries the new revision and whose open
call does, too, is done.
"""

import asyncio
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from ringback_common.errors import ConfigError
from ringback_common.outcomes import Drop, Reason, Received, Reject
from ringback_events.headers import read_headers
from ringback_events.keys import tenant_of
from ringback_events.topics import CALLS, RECORDS
from ringback_stream.consume.partitions import Partition
from ringback_stream.process.supervisor import first_failure
from ringback_stream.publish.producer import MessageTooLarge

from ringback_enricher.adapters.partitions import PartitionReader
from ringback_enricher.core.derive.record import RuleSet
from ringback_enricher.core.inventory import Inventory, RecordPosition, RederivationPlan, Selection
from ringback_enricher.core.publishing import Stages, Tokenizer
from ringback_enricher.core.rederivation import Countries, rederive
from ringback_enricher.rederive.progress import Progress
from ringback_enricher.rederive.publisher import Publisher
from ringback_enricher.rederive.report import RederivationReport
from ringback_enricher.rederive.trail import AuditTrail

__all__ = ["OffsetRange", "Rederivation", "RederivationScope", "WriteTargets"]

_CLOCKS_APART_MS = 600_000
"""Brokers' clocks may differ by so much: the open call's stamp is another broker's than its record's."""


@dataclass(frozen=True, slots=True)
class RederivationScope:
    """What is looked at.

    Attributes:
        tables: what this release judges by.
        tokens: names the parties in the open tier.
        countries: where the people of a tenant dial from.
        since: what was fetched before is left to end.
        tenants: only these, canonical; empty for all.
        history: also the older versions of each call.
        largest: bytes of a restricted record, before compression, that its readers take.
    """

    tables: RuleSet
    tokens: Tokenizer
    countries: Countries
    since: datetime
    tenants: Collection[str]
    history: bool
    largest: int


class WriteTargets(NamedTuple):
    """What a run that acts writes with."""

    publisher: Publisher
    trail: AuditTrail


class OffsetRange(NamedTuple):
    """A partition of the records topic between the ends it had at the start."""

    partition: Partition
    begin: int
    end: int

    @property
    def records(self) -> int:
        """How many lie between them."""
        return self.end - self.begin


class Rederivation:
    """One run; `report` has at any time what was found and done so far."""

    def __init__(
        self, scope: RederivationScope, reader: PartitionReader, stop: asyncio.Event, report: RederivationReport
    ) -> None:
        """Take what to look at, and when to give up."""
        self._scope = scope
        self._reader = reader
        self._stop = stop
        self.report = report

    async def spans(self) -> Sequence[OffsetRange]:
        """The partitions of the records topic from their beginning to their end as of now.

        Raises:
            ConfigError: a topic is missing, or records and calls have different partitions.
        """
        partitions = await self._reader.partitions(RECORDS)
        if len(partitions) != len(await self._reader.partitions(CALLS)):
            raise ConfigError(f"{RECORDS.name} and {CALLS.name} have different numbers of partitions.")
        return [OffsetRange(each, await self._reader.begin(each), await self._reader.end(each)) for each in partitions]

    async def run(self, spans: Sequence[OffsetRange], progress: Progress, writing: WriteTargets | None) -> None:
        """Go through the partitions; without `writing` nothing is published.

        Raises:
            ConfigError: a topic may not be read or written.
            KafkaError: Kafka cannot be read.
        """
        for span in spans:
            plan = (await self._inventory(span, progress)).plan()
            if self._stop.is_set():
                return
            self.report.add(plan)
            if writing is not None:
                if plan.offsets:
                    await self._publish(span, plan, writing, progress)
                progress.advance(span.records, self.report.published)
        self.report.complete = not self._stop.is_set()

    async def _inventory(self, span: OffsetRange, progress: Progress) -> Inventory:
        inventory = Inventory(self._scope.tables.revision, history=self._scope.history)
        async for records in self._reader.read(span.partition, span.begin, span.end):
            for record in records:
                self._note(inventory, record)
            progress.advance(len(records), self.report.published)
            if self._stop.is_set():
                return inventory
        if inventory.opened_since_ms is not None:
            await self._note_opened(inventory, span.partition.number, inventory.opened_since_ms - _CLOCKS_APART_MS)
        return inventory

    def _note(self, inventory: Inventory, record: Received) -> None:
        headers = read_headers(record.headers)
        if record.key is None or record.value is None or headers.version is None or headers.revision is None:
            self.report.refuse(record, Reason.SCHEMA_INVALID, "headers")
        elif not self._scope.tenants or tenant_of(record.key) in self._scope.tenants:
            place = RecordPosition(record.offset, record.timestamp_ms, len(record.value))
            inventory.note(record.key, headers.version, headers.revision, place)

    async def _note_opened(self, inventory: Inventory, number: int, since_ms: int) -> None:
        calls = Partition(CALLS.name, number)
        first, end = await self._reader.at(calls, since_ms), await self._reader.end(calls)
        async for records in self._reader.read(calls, first, end):
            for record in records:
                headers = read_headers(record.headers)
                if record.key is not None and headers.version is not None and headers.revision is not None:
                    inventory.note_opened(record.key, headers.version, headers.revision)
            if self._stop.is_set():
                return

    async def _publish(
        self, span: OffsetRange, plan: RederivationPlan, writing: WriteTargets, progress: Progress
    ) -> None:
        selection = Selection(plan.offsets)
        try:
            async with asyncio.TaskGroup() as tasks:
                async for records in self._reader.read(span.partition, plan.offsets[0], plan.offsets[-1] + 1):
                    for record in selection.of(records):
                        if not await writing.publisher.turn():
                            return
                        await self._derive(record, writing, tasks)
                        progress.advance(0, self.report.published)
        except BaseExceptionGroup as failures:
            raise first_failure(failures) from None
        selection.finish()
        self.report.gone += selection.gone

    async def _derive(self, record: Received, writing: WriteTargets, tasks: asyncio.TaskGroup) -> None:
        size = len(record.value or b"")
        await writing.publisher.capacity.enter(size)
        scope = self._scope
        judged_by = (scope.tables, scope.tokens, scope.countries, scope.since, scope.largest)
        outcome = await asyncio.to_thread(rederive, record, *judged_by)
        if isinstance(outcome, Drop):
            self.report.too_old += 1
        elif isinstance(outcome, Reject):
            self.report.refuse(record, outcome.reason, outcome.error_class)
        else:
            await writing.trail.begin(tenant_of(record.key or b""))
            tasks.create_task(self._write(record, outcome, writing.publisher))
            return
        writing.publisher.capacity.leave(size)

    async def _write(self, record: Received, stages: Stages, publisher: Publisher) -> None:
        try:
            await publisher.write(stages)
        except MessageTooLarge:
            self.report.refuse(record, Reason.TOO_LARGE, "MessageTooLarge")
        else:
            self.report.published += 1
        finally:
            publisher.capacity.leave(len(record.value or b""))
