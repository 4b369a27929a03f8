"""A fetch step with a hand-written Graph at its edge, and requests as they come from Kafka."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pytest
from ringback_common.outcomes import Outcome, Reason, Received
from ringback_enricher.adapters.graph import FetchFailure
from ringback_enricher.conversion import Conversions
from ringback_enricher.core.derive.record import RuleSet
from ringback_enricher.core.derive.rules import CQD_2026_1
from ringback_enricher.core.derive.sites import SiteMap
from ringback_enricher.core.requests.pending_fetch import ATTEMPT, LOOKS, REASON, attempts_header
from ringback_enricher.core.requests.recent_publications import RecentPublications
from ringback_enricher.gate import TenantGate
from ringback_enricher.handlers import Dependencies, FetchStep
from ringback_enricher.witnesses import Witnesses
from ringback_events.keys import call_key
from ringback_events.topics import FETCH, Topic
from ringback_graph.answers import Current, Found
from ringback_graph.tenants import Tenant
from ringback_testing.graph_records import CALL, TENANT, meeting

START = datetime(2026, 11, 2, 10, 0, tzinfo=UTC)
GRAPH = "https://graph.example"
OTHER = "another tenant"


@dataclass
class FakeClock:
    """Time as a test tells it."""

    time: datetime = START

    def now(self) -> datetime:
        """The wall clock."""
        return self.time

    def monotonic(self) -> float:
        """Seconds that never go back."""
        return self.time.timestamp()

    def advance(self, **ahead: float) -> None:
        """Let time pass."""
        self.time += timedelta(**ahead)


@dataclass
class FakeGraph:
    """Answers what the test says, in turn; the last answer stays."""

    answers: list[Found | Current | FetchFailure | Exception]
    asked: list[tuple[str, bool]] = field(default_factory=list[tuple[str, bool]])
    asked_for: list[str] = field(default_factory=list[str])
    reaches: set[str] = field(default_factory=lambda: {OTHER})
    without_token: set[str] = field(default_factory=set[str])

    asked_versions: int = 0

    async def read(self, tenant: Tenant, call_id: str, *, bulk: bool) -> Found | FetchFailure:  # noqa: ARG002 - the port has it
        """Answer one read."""
        self.asked.append((call_id, bulk))
        answer = self._next()
        assert not isinstance(answer, Current)
        return answer

    async def version(self, tenant: Tenant, call_id: str, *, bulk: bool) -> Current | FetchFailure:  # noqa: ARG002 - the same
        """Answer one question for the version."""
        self.asked_versions += 1
        answer = self._next()
        assert not isinstance(answer, Found)
        return answer

    def _next(self) -> Found | Current | FetchFailure:
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def reachable(self, tenant: Tenant, call_id: str | None = None) -> bool | None:
        """Answer a tenant, or not; the tenant of the tests is asked for one of its calls."""
        assert (call_id is None) == (tenant.tenant_id == OTHER)
        self.asked_for.append(tenant.tenant_id)
        return None if tenant.tenant_id in self.without_token else tenant.tenant_id in self.reaches


@dataclass
class Bench:
    """A step, the clock it lives by and the Graph it asks."""

    step: FetchStep
    published: RecentPublications
    clock: FakeClock
    graph: FakeGraph
    gate: TenantGate
    operator_pauses: dict[str, timedelta]

    async def settled(self, *requests: Received) -> Sequence[Outcome]:
        """Answer them and have everything acked."""
        outcomes = await self.step(requests)
        self.published.acked(outcomes)
        return outcomes


def _found(version: int = 3, **changes: Any) -> Found:
    return Found(meeting() | {"version": version} | changes, version, 1, START)


@pytest.fixture
def found() -> Callable[..., Found]:
    """Graph's answer with a whole record of that version."""
    return _found


MakeBench = Callable[..., Bench]


@pytest.fixture
def make_bench() -> MakeBench:
    """Build a step over these answers of Graph."""

    def make(
        *answers: Found | Current | FetchFailure | Exception, known: bool = True, time_scale: float = 1.0
    ) -> Bench:
        clock, graph, pauses = FakeClock(), FakeGraph(list(answers)), dict[str, timedelta]()
        gate = TenantGate(clock, time_scale, pauses.get)
        tenant, other = (Tenant.model_construct(tenant_id=name, graph_url=GRAPH) for name in (TENANT, OTHER))
        published = RecentPublications(100)
        given = Dependencies(
            records=graph,
            tenant=lambda tenant_id: tenant if known and tenant_id == TENANT else None,
            gate=gate,
            witnesses=Witnesses(graph, lambda: (tenant, other), gate, clock),
            published=published,
            conversions=Conversions(),
            largest_published=2**30,
            tables=RuleSet(CQD_2026_1, SiteMap(), revision=1),
            tokens=lambda _record: lambda party: f"token-{party['index']}",
            clock=clock,
            time_scale=time_scale,
        )
        return Bench(FetchStep(given), published, clock, graph, gate, pauses)

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
def request_of() -> Callable[..., Received]:
    """Make a fetch request, at an offset of its own."""
    return _request


@pytest.fixture
def raw() -> Callable[[bytes | None], Received]:
    """Make a record of the fetch lane with any value at all."""
    return lambda value: _received(FETCH, b"any", value)
