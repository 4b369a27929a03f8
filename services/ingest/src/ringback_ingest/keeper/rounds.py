"""When to look at which tenant: the tenants of the file that this process owns, each when it is due."""

import asyncio
from collections.abc import Callable, Iterable
from contextlib import suppress

from ringback_common.clock import Clock
from ringback_common.metrics import KEEPER_SUBSCRIPTION_EXPIRY, KEEPER_TENANTS
from ringback_events.platform_events import LifecycleEvent
from ringback_events.times import wire_time
from ringback_graph.availability import GO, Availability
from ringback_graph.tenants import Tenant, TenantsFile
from ringback_stream.shared.status import StatusPart

from ringback_ingest.keeper.core.verdict import SubscriptionState
from ringback_ingest.keeper.core.watch import TenantWatch
from ringback_ingest.keeper.reconcile import Reconciler

__all__ = ["Rounds"]

_AT_ONCE = 8
"""Tenants looked at concurrently; one that hangs holds up an eighth of the others, for one request's timeout."""

_TICK_SECONDS = 0.25

_STATES = {
    SubscriptionState.UNKNOWN: "waiting",
    SubscriptionState.ACTIVE: "ok",
    SubscriptionState.OUTDATED: "failing",
    SubscriptionState.MISSING: "failing",
    SubscriptionState.FOREIGN_SUBSCRIPTION: "failing",
    SubscriptionState.FAILING: "failing",
}


class Rounds:
    """Keeps a watch per owned tenant and visits the tenant when it is due and may be asked.

    Args:
        tenants: the tenants of the file.
        owns: whether this process owns a tenant, by its id.
        may_ask: the governor's answer for a tenant.
        reconciler: makes a visit.
        clock: when a tenant is due.
    """

    def __init__(
        self,
        tenants: TenantsFile,
        owns: Callable[[str], bool],
        may_ask: Callable[[str], Availability],
        reconciler: Reconciler,
        clock: Clock,
    ) -> None:
        self._tenants = tenants
        self._owns = owns
        self._may_ask = may_ask
        self._reconciler = reconciler
        self._clock = clock
        self._watches: dict[str, TenantWatch] = {}
        self._visited: dict[str, Tenant] = {}
        """Each tenant as the file had it at its last visit."""
        self._visiting: set[str] = set()
        self._slots = asyncio.Semaphore(_AT_ONCE)

    def handle(self, event: LifecycleEvent) -> bool:
        """Take a lifecycle event in; False when its tenant is not in the file.

        It is remembered in memory only: `reauthorizationRequired` comes again every 15 minutes, and a removed
        subscription is missing from Graph's list at the next look.
        """
        if self._tenants.get(event.tenant_id) is None:
            return False
        watch = self._watches.setdefault(event.tenant_id, TenantWatch())
        watch.handle(event.lifecycle_event, event.subscription_id, self._clock.monotonic())
        return True

    async def run(self, stop: asyncio.Event) -> None:
        """Make rounds until `stop` is set; a visit that was begun is finished.

        What may pass by itself stays with its tenant; what a visit raises ends the rounds as it is. Not a TaskGroup:
        it would wrap what the exit code hangs on, and cut off other tenants' visits between a write and its audit.

        Raises:
            ConfigError: a visit found the configuration unusable.
        """
        visits: set[asyncio.Task[None]] = set()
        while not (stop.is_set() or _failures(visits)):
            visits = {visit for visit in visits if not visit.done()}
            self._forget_lost()
            for tenant in self._due():
                self._visiting.add(tenant.tenant_id)
                visits.add(asyncio.create_task(self._visit(tenant, self._watches[tenant.tenant_id])))
            with suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), _TICK_SECONDS)
        await asyncio.gather(*visits, return_exceptions=True)
        for failure in _failures(visits):
            raise failure

    def report(self) -> Iterable[StatusPart]:
        """What is known of every owned tenant, for the status topic; no subscription ids."""
        now = self._clock.monotonic()
        for tenant_id, watch in self._watches.items():
            yield StatusPart(
                tenant_id=tenant_id,
                state=_STATES[watch.situation],
                detail={
                    "subscription": watch.situation.value,
                    "reason": watch.reason,
                    "graphSays": watch.graph_says,
                    "outdated": watch.outdated,
                    "expiresAt": wire_time(watch.expires_at) if watch.expires_at else None,
                    "lookedAgeSeconds": None if watch.looked_at is None else round(now - watch.looked_at, 1),
                    "missedEvents": watch.missed,
                    "backfill": "not_available",
                },
            )

    async def _visit(self, tenant: Tenant, watch: TenantWatch) -> None:
        self._visited[tenant.tenant_id] = tenant
        try:
            async with self._slots:
                await self._reconciler.reconcile(tenant, watch)
        finally:
            self._visiting.discard(tenant.tenant_id)

    def _due(self) -> list[Tenant]:
        now = self._clock.monotonic()
        owned = [tenant for tenant in self._tenants.all().values() if self._owns(tenant.tenant_id)]
        waiting = [tenant for tenant in owned if tenant.tenant_id not in self._visiting]
        due = [tenant for tenant in waiting if self._watch(tenant, now).due_at <= now]
        return [tenant for tenant in due if self._may_ask(tenant.tenant_id) == GO]

    def _watch(self, tenant: Tenant, now: float) -> TenantWatch:
        """The tenant's watch; if the file says something else of it than at its last visit the next one comes now."""
        watch = self._watches.setdefault(tenant.tenant_id, TenantWatch())
        if self._visited.get(tenant.tenant_id, tenant) != tenant:
            watch.hasten(now)
        return watch

    def _forget_lost(self) -> None:
        kept = self._tenants.all()
        for tenant_id in list(self._watches):
            if tenant_id not in self._visiting and not (tenant_id in kept and self._owns(tenant_id)):
                del self._watches[tenant_id]
                self._visited.pop(tenant_id, None)
                KEEPER_SUBSCRIPTION_EXPIRY.remove(tenant_id)  # the process that owns the tenant now exports it
        for situation in SubscriptionState:
            count = sum(watch.situation is situation for watch in self._watches.values())
            KEEPER_TENANTS.labels(situation.value).set(count)


def _failures(visits: Iterable[asyncio.Task[None]]) -> list[BaseException]:
    ended = (visit.exception() for visit in visits if visit.done() and not visit.cancelled())
    return [failure for failure in ended if failure is not None]
