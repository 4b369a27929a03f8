"""A fetch step under test: the clock it lives by, the Graph it asks, and the shapes of the fixtures that build both."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

from ringback_common.outcomes import Accounting, Emit, Outcome, Reason, Received
from ringback_enricher.adapters.graph import FetchFailure
from ringback_enricher.core.requests.recent_publications import RecentPublications
from ringback_enricher.handlers import FetchStep
from ringback_events.topics import FETCH, Topic
from ringback_graph.answers import Current, Found
from ringback_graph.availability import Governor
from ringback_graph.tenants import Tenant

from ringback_testing.graph_records import TENANT

__all__ = [
    "GRAPH",
    "OTHER",
    "START",
    "Bench",
    "FakeClock",
    "FakeGraph",
    "FoundOf",
    "MakeBench",
    "RawOf",
    "RequestOf",
    "deferral",
    "emitted",
    "topics_of",
]

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
    governor: Governor
    operator_pauses: set[str]

    def paused(self, *tenants: str) -> dict[str, str]:
        """Why tenants are paused, of these or of the tests' two."""
        reasons = {each: self.governor.why_paused(each) for each in tenants or (TENANT, OTHER)}
        return {each: why for each, why in reasons.items() if why is not None}

    async def settled(self, *requests: Received) -> Sequence[Outcome]:
        """Answer them and have everything acked."""
        outcomes = await self.step(requests)
        self.published.acked(outcomes)
        return outcomes


def emitted(outcomes: Iterable[Outcome]) -> list[Emit]:
    """The outcomes of a step, each of which has to be an `Emit`."""
    found = list(outcomes)
    emits = [outcome for outcome in found if isinstance(outcome, Emit)]
    assert len(emits) == len(found), found
    return emits


class MakeBench(Protocol):
    """Builds a bench."""

    def __call__(
        self, *answers: Found | Current | FetchFailure | Exception, known: bool = True, time_scale: float = 1.0
    ) -> Bench:
        """A step over these answers of Graph; `known` says whether the tenant of the tests is one of ours."""
        ...


class FoundOf(Protocol):
    """Makes an answer of Graph's."""

    def __call__(self, version: int = 3, **changes: Any) -> Found:
        """A whole record of that version, with these members changed."""
        ...


class RequestOf(Protocol):
    """Makes a fetch request as it comes from Kafka."""

    def __call__(
        self,
        *,
        topic: Topic = FETCH,
        source: str = "webhook",
        age: timedelta = timedelta(0),
        min_version: int | None = None,
        tried: tuple[int, Reason] | None = None,
        headers: Sequence[tuple[str, bytes | None]] = (),
        key: bytes | None = None,
    ) -> Received:
        """A request at an offset of its own; `tried`: how often it was put off, and why."""
        ...


class RawOf(Protocol):
    """Makes a record of the fetch lane."""

    def __call__(self, value: bytes | None, /) -> Received:
        """A record with any value at all."""
        ...


def topics_of(outcome: Outcome) -> list[list[str]]:
    """The topics an outcome writes to, stage by stage, each name once."""
    assert isinstance(outcome, Emit)
    return [sorted({message.topic for message in stage}) for stage in outcome.stages]


def deferral(outcome: Outcome) -> tuple[str, Reason | None, dict[str, bytes]]:
    """Where a deferred request went, why, and with which headers."""
    assert isinstance(outcome, Emit)
    assert outcome.accounting is Accounting.DEFERRED
    message = outcome.stages[-1][0]
    return message.topic, outcome.reason, dict(message.headers)
