"""A replica of Graph that lacks a record which another has just served: the call is there, and is looked for again."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from ringback_common.outcomes import Accounting, Reason, Reject
from ringback_enricher.adapters.graph import FetchFailure, GraphRecords
from ringback_graph.auth import Granted, TokenCache
from ringback_graph.availability import Governor, QuotaRequest, RateLimiter, Role
from ringback_graph.client import GraphClient
from ringback_graph.records import RecordReader
from ringback_graph.tenants import Tenant
from ringback_graph.transport import sent_url
from ringback_testing.fetch_bench import MakeBench, RequestOf, emitted
from ringback_testing.graph_records import CALL, TENANT, meeting

LATE = timedelta(hours=3)


class StoppedClock:
    """A clock that stands."""

    def now(self) -> datetime:
        """The wall clock."""
        return datetime(2026, 11, 2, 10, tzinfo=UTC)

    def monotonic(self) -> float:
        """Seconds."""
        return 0.0


class Authority:
    """Grants a token."""

    def acquire(self, tenant: Tenant) -> Granted:  # noqa: ARG002 - the port has it
        """The token."""
        return Granted("token", 3600.0)


class Unlimited(RateLimiter):
    """The real limiter, but nothing waits."""

    async def acquire(self, ticket: QuotaRequest) -> None:
        """Pass."""


@dataclass
class Replicas(httpx.AsyncBaseTransport):
    """Serves the record with its sessions, or not; whatever is asked for after it lies on a replica without it."""

    has_record: bool
    asked: list[str] = field(default_factory=list[str])

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Answer one request."""
        self.asked.append(sent_url(request))
        first = "$expand=sessions" in self.asked[-1] and self.has_record
        status, body = (200, meeting()) if first else (404, {"error": {"code": "NotFound"}})
        return httpx.Response(status, json=body)

    async def read(self) -> FetchFailure:
        """Read the record from here."""
        clock = StoppedClock()
        governor = Governor(Unlimited(Role.FETCHER, 1.0, clock))
        client = GraphClient(self, TokenCache(Authority(), clock), governor)
        tenant = Tenant.model_construct(tenant_id=TENANT, graph_url="https://graph.example", budget=None)
        answer = await GraphRecords(RecordReader(client)).read(tenant, CALL, bulk=False)
        assert isinstance(answer, FetchFailure)
        return answer


@pytest.mark.parametrize(
    "asked", [{"source": "replay"}, {"source": "lookup"}, {"age": LATE}, {}], ids=["replay", "lookup", "late", "live"]
)
async def test_a_record_that_was_just_served_is_not_called_gone(
    make_bench: MakeBench, request_of: RequestOf, asked: dict[str, Any]
) -> None:
    """Nobody's request ends as not found, however late or on whose behalf it comes."""
    (outcome,) = emitted(await make_bench(await Replicas(has_record=True).read()).step([request_of(**asked)]))
    assert (outcome.accounting, outcome.reason) == (Accounting.DEFERRED, Reason.VERSION_UNSTABLE)


@pytest.mark.parametrize("asked", [{"source": "replay"}, {"source": "lookup"}, {"age": LATE}])
async def test_a_record_that_no_replica_has_is(
    make_bench: MakeBench, request_of: RequestOf, asked: dict[str, Any]
) -> None:
    """A first request that finds nothing says so, as before."""
    replicas = Replicas(has_record=False)
    (outcome,) = await make_bench(await replicas.read()).step([request_of(**asked)])
    assert outcome == Reject(Reason.NOT_FOUND)
    assert len(replicas.asked) == 1
