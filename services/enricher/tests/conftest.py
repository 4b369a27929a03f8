"""A fetch step with a hand-written Graph at its edge, and requests as they come from Kafka."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import orjson
import pytest
from ringback_common.outcomes import Reason, Received
from ringback_enricher.adapters.graph import FetchFailure
from ringback_enricher.conversion import Conversions
from ringback_enricher.core.derive.record import RuleSet
from ringback_enricher.core.derive.rules import CQD_2026_1
from ringback_enricher.core.derive.sites import SiteMap
from ringback_enricher.core.requests.pending_fetch import attempts_header
from ringback_enricher.core.requests.recent_publications import RecentPublications
from ringback_enricher.handlers import Dependencies, FetchStep
from ringback_events.header_names import ATTEMPT, LOOKS, REASON
from ringback_events.keys import call_key
from ringback_events.topics import FETCH, Topic
from ringback_graph.answers import Current, Found
from ringback_graph.availability import Governor, PeerProbe, RateLimiter, Role
from ringback_graph.tenants import Tenant
from ringback_testing.fetch_bench import (
    GRAPH,
    OTHER,
    START,
    Bench,
    FakeClock,
    FakeGraph,
    FoundOf,
    MakeBench,
    RawOf,
    RequestOf,
)
from ringback_testing.graph_records import CALL, TENANT, meeting


def _found(version: int = 3, **changes: Any) -> Found:
    return Found(meeting() | {"version": version} | changes, version, 1, START)


@pytest.fixture
def found() -> FoundOf:
    """Graph's answer with a whole record of that version."""
    return _found


@pytest.fixture
def make_bench() -> MakeBench:
    """Build a step over these answers of Graph."""

    def make(
        *answers: Found | Current | FetchFailure | Exception, known: bool = True, time_scale: float = 1.0
    ) -> Bench:
        clock, graph, pauses = FakeClock(), FakeGraph(list(answers)), set[str]()
        limiter = RateLimiter(Role.FETCHER, 1.0, clock)
        governor = Governor(limiter, time_scale=time_scale, is_paused_by_operator=pauses.__contains__)
        tenant, other = (Tenant.model_construct(tenant_id=name, graph_url=GRAPH) for name in (TENANT, OTHER))
        published = RecentPublications(100)
        given = Dependencies(
            records=graph,
            tenant=lambda tenant_id: tenant if known and tenant_id == TENANT else None,
            governor=governor,
            peer_probe=PeerProbe(graph, lambda: (tenant, other), governor),
            published=published,
            conversions=Conversions(),
            largest_published=2**30,
            tables=RuleSet(CQD_2026_1, SiteMap(), revision=1),
            tokens=lambda _record: lambda party: f"token-{party['index']}",
            clock=clock,
            time_scale=time_scale,
        )
        return Bench(FetchStep(given), published, clock, graph, governor, pauses)

    return make


_offsets = iter(range(1_000_000))


def _request(
    *,
    topic: Topic = FETCH,
    source: str = "webhook",
    age: timedelta = timedelta(0),
    min_version: int | None = None,
    tried: tuple[int, Reason] | None = None,
    headers: Sequence[tuple[str, bytes | None]] = (),
    key: bytes | None = None,
) -> Received:
    value: dict[str, Any] = {"tenantId": TENANT, "callId": CALL, "source": source}
    value["receivedAt"] = (START - age).isoformat()
    if min_version is not None:
        value["minVersion"] = min_version
    retried: tuple[tuple[str, bytes], ...] = ()
    if tried is not None:
        times, reason = tried
        retried = ((ATTEMPT, str(times).encode()), (LOOKS, attempts_header({reason: times})), (REASON, reason.encode()))
    return _received(topic, key or call_key(TENANT, CALL), orjson.dumps(value), (*headers, *retried))


def _received(
    topic: Topic, key: bytes | None, value: bytes | None, headers: Sequence[tuple[str, bytes | None]] = ()
) -> Received:
    return Received(topic.name, 0, next(_offsets), 0, key, value, tuple(headers))


@pytest.fixture
def request_of() -> RequestOf:
    """Make a fetch request, at an offset of its own."""
    return _request


@pytest.fixture
def raw() -> RawOf:
    """Make a record of the fetch lane with any value at all."""
    return lambda value: _received(FETCH, b"any", value)
