"""The rounds: which tenants a keeper speaks for."""

import asyncio
from typing import cast

import pytest
from ringback_common.clock import SystemClock
from ringback_common.errors import ConfigError
from ringback_common.metrics import KEEPER_SUBSCRIPTION_EXPIRY
from ringback_graph.availability import GO, Availability, NotBefore, PauseReason
from ringback_graph.tenants import Tenant, TenantsFile
from ringback_ingest.keeper.core.verdict import SubscriptionState
from ringback_ingest.keeper.core.watch import TenantWatch
from ringback_ingest.keeper.reconcile import Reconciler
from ringback_ingest.keeper.rounds import Rounds
from ringback_testing import eventually

TENANT = Tenant.model_validate(
    {
        "tenant_id": "dc368399-474c-4d40-900c-6265431fd81f",
        "client_id": "app",
        "credential": {"secret_file": "secret"},
        "notification_url": "https://hooks.example/graph/notifications",
    }
)


class Listed:
    """A tenants file with these tenants."""

    def __init__(self, *tenants: Tenant) -> None:
        self.tenants = tenants

    def all(self) -> dict[str, Tenant]:
        """The tenants by id."""
        return {tenant.tenant_id: tenant for tenant in self.tenants}


class ContentVisitor:
    """Finds a subscription that ends at a known time."""

    async def reconcile(self, tenant: Tenant, watch: TenantWatch) -> None:
        """Say when it ends, and be content for long."""
        KEEPER_SUBSCRIPTION_EXPIRY.labels(tenant.tenant_id).set(1.8e9)
        watch.due_at = float("inf")


def reported() -> list[float]:
    """The expiry this process tells, per tenant."""
    (metric,) = KEEPER_SUBSCRIPTION_EXPIRY.collect()
    return [sample.value for sample in metric.samples]


async def test_a_tenant_that_moved_away_is_spoken_for_no_more() -> None:
    """An expiry that nobody renews here would stand still and raise a false alarm days later."""
    owned = {TENANT.tenant_id}
    tenants, visitor = cast("TenantsFile", Listed(TENANT)), cast("Reconciler", ContentVisitor())
    stop = asyncio.Event()
    running = asyncio.create_task(Rounds(tenants, owned.__contains__, lambda _: GO, visitor, SystemClock()).run(stop))
    await eventually(lambda: reported() == [1.8e9])
    owned.clear()
    await eventually(lambda: reported() == [])
    stop.set()
    await running


class PatientVisitor:
    """Notes what it is sent for; nothing is due again for long."""

    def __init__(self) -> None:
        self.visited: list[Tenant] = []

    async def reconcile(self, tenant: Tenant, watch: TenantWatch) -> None:
        """Note it."""
        self.visited.append(tenant)
        watch.due_at = float("inf")


class RefusedVisitor:
    """Graph refuses, and says why."""

    async def reconcile(self, tenant: Tenant, watch: TenantWatch) -> None:
        """Note it, and look no more."""
        del tenant
        watch.situation, watch.reason = SubscriptionState.MISSING, "status_400"
        watch.graph_says, watch.due_at = "Subscription limit reached.", float("inf")


async def test_the_status_of_a_refused_tenant_has_graph_s_sentence() -> None:
    """`status_400` alone leaves an operator without a next step."""
    listed, visitor, stop = Listed(TENANT), RefusedVisitor(), asyncio.Event()
    rounds = Rounds(
        cast("TenantsFile", listed), lambda _: True, lambda _: GO, cast("Reconciler", visitor), SystemClock()
    )
    running = asyncio.create_task(rounds.run(stop))
    await eventually(lambda: [part.state for part in rounds.report()] == ["failing"])
    stop.set()
    await running
    (part,) = rounds.report()
    assert (part.detail["reason"], part.detail["graphSays"]) == ("status_400", "Subscription limit reached.")


async def test_a_tenant_whose_entry_changed_is_visited_at_once() -> None:
    """Who has mended a typo does not wait out the pause that it led to."""
    mended = TENANT.model_copy(update={"notification_url": "https://hooks.example/other"})
    listed, visitor, stop = Listed(TENANT), PatientVisitor(), asyncio.Event()
    rounds = Rounds(
        cast("TenantsFile", listed), lambda _: True, lambda _: GO, cast("Reconciler", visitor), SystemClock()
    )
    running = asyncio.create_task(rounds.run(stop))
    await eventually(lambda: visitor.visited == [TENANT])
    listed.tenants = (mended,)
    await eventually(lambda: visitor.visited == [TENANT, mended])
    stop.set()
    await running
    assert visitor.visited == [TENANT, mended]


async def test_a_tenant_that_graph_throttles_is_visited_when_its_time_has_passed() -> None:
    """Whichever keeper Graph told; the governor knows."""
    visitor, stop, answers = PatientVisitor(), asyncio.Event(), list[Availability]()
    answers.append(NotBefore(20.0, PauseReason.THROTTLED))
    listed = cast("TenantsFile", Listed(TENANT))
    rounds = Rounds(listed, lambda _: True, lambda _: answers[-1], cast("Reconciler", visitor), SystemClock())
    running = asyncio.create_task(rounds.run(stop))
    await asyncio.sleep(0.6)
    assert visitor.visited == []
    answers.append(GO)
    await eventually(lambda: visitor.visited == [TENANT])
    stop.set()
    await running


class FailingVisitor:
    """Finishes one tenant's visit only after another one's has failed."""

    def __init__(self, failure: Exception) -> None:
        self.failure = failure
        self.failed = asyncio.Event()
        self.finished: list[str] = []

    async def reconcile(self, tenant: Tenant, _watch: TenantWatch) -> None:
        """Fail for the one tenant, take longer for the other."""
        if tenant is TENANT:
            self.failed.set()
            raise self.failure
        await self.failed.wait()
        await asyncio.sleep(0)
        self.finished.append(tenant.tenant_id)


@pytest.mark.parametrize("failure", [ConfigError("RINGBACK_X is not usable."), KeyError("bug")], ids=["mistake", "bug"])
async def test_what_a_visit_raises_ends_the_rounds_as_it_is(failure: Exception) -> None:
    """The exit code hangs on the exception itself, which no group may wrap; visits under way end in order."""
    other = TENANT.model_copy(update={"tenant_id": "e1f2a3b4-0000-4000-8000-000000000001"})
    tenants, visitor = cast("TenantsFile", Listed(other, TENANT)), FailingVisitor(failure)
    rounds = Rounds(tenants, lambda _: True, lambda _: GO, cast("Reconciler", visitor), SystemClock())
    with pytest.raises(type(failure)) as raised:
        await asyncio.wait_for(rounds.run(asyncio.Event()), 5)
    assert raised.value is failure
    assert visitor.finished == [other.tenant_id]
