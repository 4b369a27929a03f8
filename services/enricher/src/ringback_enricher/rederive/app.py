"""Wires a re-derivation; read from top to bottom it is the diagram.

restricted.records, from its beginning to its end at the start ─► inventory ─► plan ─► report
       ▲                                                             ▲            │
       └── the next revision ─► open.sessions ─► marker ─► open.calls            ◄┘ with --yes
"""

import asyncio
import json
import sys
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass
from datetime import timedelta

from ringback_common import logs
from ringback_common.clock import SystemClock
from ringback_common.errors import ConfigError, Transient
from ringback_common.process import EXIT_CRASH, EXIT_OK, begin
from ringback_common.settings import KafkaSettings, load
from ringback_events.tokens import Pseudonymizer
from ringback_events.topics import AUDIT, RECORDS, SESSIONS
from ringback_graph.tenants import Tenant, TenantsFile
from ringback_stream.publish.producer import Producer

from ringback_enricher.adapters.files import read_sites, read_token_keys
from ringback_enricher.adapters.partitions import PartitionReader
from ringback_enricher.core.derive.record import RuleSet
from ringback_enricher.core.derive.rules import CQD_2026_1, RULES_NUMBER
from ringback_enricher.rederive.job import OffsetRange, Rederivation, RederivationScope, WriteTargets
from ringback_enricher.rederive.progress import Progress
from ringback_enricher.rederive.publisher import Publisher
from ringback_enricher.rederive.report import RederivationReport
from ringback_enricher.rederive.trail import AuditTrail
from ringback_enricher.settings import RederiveSettings

__all__ = ["Options", "serve"]

_log = logs.logger(__name__)
_clock = SystemClock()

_STOP_WITHIN = 15.0
"""Seconds for what is under way on a stop, and as many again for the last audit entries."""


@dataclass(frozen=True, slots=True)
class Options:
    """What the command line says.

    Attributes:
        acts: publish; without it the plan is printed.
        as_json: print it as one JSON document.
        max_rate: publications a second.
        history: also the older versions of each call.
        tenants: only these, canonical; empty for all.
        why: the reason, for the audit trail.
    """

    acts: bool
    as_json: bool
    max_rate: float
    history: bool
    tenants: frozenset[str]
    why: str


async def serve(options: Options, stop: asyncio.Event) -> int:
    """Derive again and publish, or only say what that would be; returns the exit code.

    Raises:
        ConfigError: a setting, one of its files or a topic is not usable, no Kafka answers, or no record that is kept
            is of the tenants that are named.
    """
    settings = load(RederiveSettings)
    begin("rederive", settings, sys.stderr)
    tables = RuleSet(CQD_2026_1, read_sites(settings.sites_file), RULES_NUMBER + settings.rules.revision_offset)
    tokens = Pseudonymizer(read_token_keys(settings.privacy.keys_file, settings.profile), settings.privacy.open_tokens)
    since = _clock.now() - timedelta(milliseconds=RECORDS.retention_ms or 0)
    tenants = TenantsFile(settings.tenants_file)
    tenants.load()
    scope = RederivationScope(
        tables=tables,
        tokens=tokens.for_parties_of,
        countries=lambda tenant_id: _countries(tenants.get(tenant_id)),
        since=since,
        tenants=options.tenants,
        history=options.history,
        largest=settings.limits.published_bytes,
    )
    report = RederivationReport(tables.revision, options.acts, options.max_rate)
    try:
        async with PartitionReader.open(settings.kafka) as reader:
            await _rederive(settings.kafka, Rederivation(scope, reader, stop, report), reader, options, stop)
    except Transient as failure:
        sys.stderr.write(f"{failure} Run it again to go on.\n")
    if options.tenants and report.complete and not report.calls:
        raise ConfigError(f"No record that is kept is of {', '.join(sorted(options.tenants))}: see --tenant.")
    _tell(report, as_json=options.as_json)
    return EXIT_OK if report.is_clean else EXIT_CRASH


def _countries(tenant: Tenant | None) -> tuple[str, ...]:
    """Those of the file; a tenant that left it has none."""
    return () if tenant is None else tenant.countries


async def _rederive(
    kafka: KafkaSettings, run: Rederivation, reader: PartitionReader, options: Options, stop: asyncio.Event
) -> None:
    for topic in (SESSIONS, AUDIT):
        await reader.partitions(topic)
    spans = await run.spans()
    passes = 2 if options.acts else 1
    progress = Progress(passes * sum(span.records for span in spans), sys.stderr, _clock)
    try:
        if options.acts:
            await _until(_acting(kafka, run, spans, progress, options, stop), stop)
        else:
            await run.run(spans, progress, None)
    finally:
        progress.finish(run.report.published)


async def _acting(
    kafka: KafkaSettings,
    run: Rederivation,
    spans: Sequence[OffsetRange],
    progress: Progress,
    options: Options,
    stop: asyncio.Event,
) -> None:
    producer = Producer(kafka)
    await producer.start()
    publisher = Publisher(producer, _clock, stop, options.max_rate)
    trail = AuditTrail(publisher, _clock, run.report.revision, options.why)
    try:
        await run.run(spans, progress, WriteTargets(publisher, trail))
    finally:
        await _end(trail, run.report)
        await producer.stop()


async def _until(running: Coroutine[None, None, None], stop: asyncio.Event) -> None:
    """Run to the end; on a stop what is under way gets some seconds."""
    task, stopping = asyncio.create_task(running), asyncio.create_task(stop.wait())
    try:
        await asyncio.wait({task, stopping}, return_when=asyncio.FIRST_COMPLETED)
        await asyncio.wait({task}, timeout=_STOP_WITHIN)
        if task.done():
            task.result()
    finally:
        stopping.cancel()
        task.cancel()
        await asyncio.wait({task})


async def _end(trail: AuditTrail, report: RederivationReport) -> None:
    try:
        async with asyncio.timeout(_STOP_WITHIN):
            await trail.end("done" if report.is_clean else "incomplete")
    except TimeoutError:
        _log.error("The last entries of the audit trail could not be written.", revision=report.revision)


def _tell(report: RederivationReport, *, as_json: bool) -> None:
    lines = [json.dumps(report.document())] if as_json else report.sentences()
    sys.stdout.write("\n".join(lines) + "\n")
