"""Wires the fetch process; read from top to bottom it is the diagram.

fetch, bulk, retry-10s, -2m, -60m, aside, -2 ─► FetchStep ─► restricted.records ─► open.sessions ─► marker ─► open.calls
│  ▲
▼  │ the whole record, every page, one version
Microsoft Graph
"""

import asyncio
import gc

from ringback_common.clock import Clock, SystemClock
from ringback_common.health import AdminServer, Health
from ringback_common.process import begin
from ringback_common.settings import LimitsSettings, load
from ringback_events.tokens import Pseudonymizer
from ringback_events.topics import CALLS, FETCH, FETCH_ASIDES, FETCH_BULK, FETCH_RETRIES, RECORDS, SESSIONS
from ringback_graph.availability import APP_LIMIT, WINDOW_SECONDS, Governor, PeerProbe, RateLimiter, Role
from ringback_graph.client import GraphClient
from ringback_graph.records import ReadLimits, RecordReader
from ringback_graph.tenants import Tenant, TenantsFile
from ringback_graph.transport import AiohttpTransport
from ringback_stream.consume.byte_budget import ByteBudget
from ringback_stream.flows import Aside, Caps, KeyedFlow, Lane, LaneKind
from ringback_stream.process.runtime import StreamRuntime
from ringback_stream.shared.status import StatusPart

from ringback_enricher.adapters.files import read_sites, read_token_keys
from ringback_enricher.adapters.graph import GraphRecords
from ringback_enricher.conversion import CONVERTING, READING, Conversions
from ringback_enricher.core.derive.record import RuleSet
from ringback_enricher.core.derive.rules import CQD_2026_1, RULES_NUMBER
from ringback_enricher.core.quota import records_a_second
from ringback_enricher.core.requests.decisions import longest_waits
from ringback_enricher.core.requests.recent_publications import RecentPublications
from ringback_enricher.handlers import Dependencies, FetchStep
from ringback_enricher.settings import FetchSettings

__all__ = ["serve"]

_GROUP = "ringback-enricher"
_REMEMBERED_CALLS = 50_000
"""Some 20 MB; at the largest tenants' peak, the calls of the last nine minutes."""
_KEY_INTERVAL = 2.0
"""Seconds between two fetches of one call: a burst of notifications costs two, one at once and one for the rest."""
_FIRST = 512 * 1024
"""Bytes in hand that an ordinary record of 45 KB needs at most."""
_KEPT = Caps().in_flight // 2 * _FIRST
"""In half of the slots an ordinary record may be read, whatever else waits."""
_COLLECT_AFTER = 100_000
"""Allocations between two collections: records are trees without cycles, freed by counting; looking for cycles in them
at the default of 700 costs a tenth of the derivation's time."""


async def serve(stop: asyncio.Event) -> None:
    """Run until `stop` is set.

    Raises:
        ConfigError: a setting, one of its files or a topic is not usable.
    """
    settings = load(FetchSettings)
    settings.limits.require(READING + CONVERTING, _KEPT)
    begin("fetch", settings)
    tenants = TenantsFile(settings.tenants_file)
    tenants.load()
    tables = RuleSet(CQD_2026_1, read_sites(settings.sites_file), RULES_NUMBER + settings.rules.revision_offset)
    tokens = Pseudonymizer(read_token_keys(settings.privacy.keys_file, settings.profile), settings.privacy.open_tokens)
    health = Health()
    admin = AdminServer(health, settings.admin)
    await admin.start()
    try:
        await _fetch(settings, tenants, tables, tokens, health, stop)
    finally:
        await admin.stop()


async def _fetch(
    settings: FetchSettings,
    tenants: TenantsFile,
    tables: RuleSet,
    tokens: Pseudonymizer,
    health: Health,
    stop: asyncio.Event,
) -> None:
    clock = SystemClock()
    written = (RECORDS, SESSIONS, CALLS)
    async with (
        AiohttpTransport(settings.graph) as transport,  # first: Kafka is waited for, a mistake is not
        StreamRuntime.open(settings, "fetch", health=health, topics=written, stop=stop) as stream,
        GraphClient.open(transport, governor := _governor(settings, stream, clock)) as graph,
    ):
        published = RecentPublications(_REMEMBERED_CALLS)
        reader = RecordReader(graph, ReadLimits(byte_count=settings.limits.record_bytes))
        step = FetchStep(
            Dependencies(
                records=GraphRecords(reader),
                tenant=tenants.get,
                governor=governor,
                peer_probe=PeerProbe(reader, lambda: tuple(tenants.all().values()), governor),
                published=published,
                tables=tables,
                tokens=tokens.for_parties_of,
                conversions=Conversions(),
                largest_published=settings.limits.published_bytes,
                clock=clock,
                time_scale=settings.time_scale,
            )
        )
        stream.status.add("tenants", lambda: _tenants(tenants, governor))
        flow = KeyedFlow(
            group=_GROUP,
            lanes=_lanes(settings.time_scale),
            step=step,
            on_exhausted=step.exhausted,
            on_throttled=step.throttled,
            on_applied=published.acked,
            aside=_aside(step, governor, tenants, settings.put_aside_seconds),
            key_interval=_KEY_INTERVAL,
            in_hand=_in_hand(settings.limits),
        )
        gc.freeze()
        gc.set_threshold(_COLLECT_AFTER)
        following = asyncio.create_task(tenants.follow(), name="tenants")
        try:
            await stream.run(stop, flow)
        finally:
            following.cancel()


def _lanes(time_scale: float) -> tuple[Lane, ...]:
    waits = longest_waits(time_scale)
    return (
        Lane(FETCH),
        Lane(FETCH_BULK, LaneKind.BULK),
        *(Lane(tier, LaneKind.RETRY, waits[tier]) for tier in FETCH_RETRIES),
        *(Lane(topic, LaneKind.ASIDE) for topic in FETCH_ASIDES),
    )


def _aside(step: FetchStep, governor: Governor, tenants: TenantsFile, within: float) -> Aside:
    return Aside(
        topics=FETCH_ASIDES,
        move=step.move,
        slow=step.slow,
        busy=step.busy,
        is_paused=lambda tenant_id: governor.why_paused(tenant_id) is not None,
        may_ask=step.may_ask,
        quota=lambda tenant_id: _quota(tenants.get(tenant_id)),
        within=within,
    )


def _quota(tenant: Tenant | None) -> float:
    """Records a second."""
    return 0.0 if tenant is None else records_a_second(tenant.budget * Role.FETCHER.value / WINDOW_SECONDS)


def _in_hand(limits: LimitsSettings) -> ByteBudget:
    return ByteBudget(limits.in_hand_bytes, (READING + CONVERTING) * limits.record_bytes, _FIRST, _KEPT)


def _governor(settings: FetchSettings, stream: StreamRuntime, clock: Clock) -> Governor:
    limiter = RateLimiter(Role.FETCHER, 0, clock)
    stream.share_quota(APP_LIMIT, limiter)
    return Governor(
        limiter,
        stream.throttles,
        time_scale=settings.time_scale,
        is_paused_by_operator=lambda tenant_id: stream.control.get("pause", tenant_id) is not None,
    )


def _tenants(tenants: TenantsFile, governor: Governor) -> list[StatusPart]:
    """Every tenant of the file, so that one that answers again turns green again."""
    reasons = {tenant: governor.why_paused(tenant) for tenant in tenants.all()}
    return [StatusPart("paused" if reason else "ok", {"reason": reason}, tenant) for tenant, reason in reasons.items()]
