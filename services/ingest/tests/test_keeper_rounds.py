"""The rounds: which tenants a keeper speaks for."""

import asyncio
from typing import cast

from ringback_common.clock import SystemClock
from ringback_common.metrics import KEEPER_SUBSCRIPTION_EXPIRY
from ringback_graph.tenants import Tenant, TenantsFile
from ringback_ingest.keeper.core.watch import Watch
from ringback_ingest.keeper.rounds import Rounds
from ringback_ingest.keeper.visit import Visitor
from ringback_testing import eventually

TENANT = Tenant.model_validate(
    {
        "tenant_id": "dc368399-474c-4d40-900c-6265431fd81f",
        "client_id": "app",
        "credential": {"secret_file": "secret"},
        "notification_url": "https://hooks.example/graph/notifications",
    }
)


class OneTenant:
    """A tenants file with one tenant."""

    def all(self) -> dict[str, Tenant]:
        """The tenant."""
        return {TENANT.tenant_id: TENANT}


class ContentVisitor:
    """Finds a subscription that ends at a known time."""

    async def look(self, tenant: Tenant, watch: Watch) -> None:
        """Say when it ends, and be content for long."""
        KEEPER_SUBSCRIPTION_EXPIRY.labels(tenant.tenant_id).set(1.8e9)
        watch.due_at = float("inf")


def told() -> list[float]:
    """The expiry this process tells, per tenant."""
    (metric,) = KEEPER_SUBSCRIPTION_EXPIRY.collect()
    return [sample.value for sample in metric.samples]


async def test_a_tenant_that_moved_away_is_spoken_for_no_more() -> None:
    """An expiry that nobody renews here would stand still and raise a false alarm days later."""
    owned = {TENANT.tenant_id}
    tenants, visitor = cast("TenantsFile", OneTenant()), cast("Visitor", ContentVisitor())
    stop = asyncio.Event()
    running = asyncio.create_task(Rounds(tenants, owned.__contains__, visitor, SystemClock()).run(stop))
    await eventually(lambda: told() == [1.8e9])
    owned.clear()
    await eventually(lambda: told() == [])
    stop.set()
    await running
