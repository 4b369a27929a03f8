"""One visit to one tenant: list its subscriptions, decide, change what has to be changed, judge and report."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from ringback_common import logs
from ringback_common.clock import Clock
from ringback_common.metrics import KEEPER_PASS_FAILURES, KEEPER_SUBSCRIPTION_EXPIRY
from ringback_graph.tenants import Tenant

from ringback_ingest.client_state import CALL_RECORDS, NotificationQuery
from ringback_ingest.keeper.adapters.graph import GraphSubscriptions
from ringback_ingest.keeper.changes import Changes, NotOwner, SignedSubscription
from ringback_ingest.keeper.core.plan import Foreign, Prove, SubscriptionAction, kept, plan
from ringback_ingest.keeper.core.subscription import DesiredSubscription, ListedSubscription, lifecycle_url_of
from ringback_ingest.keeper.core.verdict import (
    ChangeStep,
    SubscriptionState,
    SubscriptionVerdict,
    confirmed_lives,
    expiry,
    unlisted,
    verdict,
)
from ringback_ingest.keeper.core.watch import TenantWatch
from ringback_ingest.keys_file import KeysFile

__all__ = ["Installation", "Reconciler"]

_log = logs.logger(__name__)

_SENTENCES = {
    SubscriptionState.OUTDATED: "The subscription that is wanted could not be proven; the present one is kept.",
    SubscriptionState.MISSING: "A tenant has no subscription.",
    SubscriptionState.FOREIGN_SUBSCRIPTION: "A subscription that is not ours stands in the way.",
    SubscriptionState.FAILING: "A tenant's subscription could not be looked after.",
}

_PASSING = frozenset({"transient", "throttled"})
"""Reasons that are likely to be over at the next visit; they are a warning while a subscription stands."""


@dataclass(frozen=True, slots=True)
class Installation:
    """Which installation this is, and how much faster than in reality its subscriptions age."""

    id: str
    time_scale: float


@dataclass(frozen=True, slots=True)
class Reconciler:
    """Brings a tenant's subscription to what is wanted, and writes the result into its watch."""

    graph: GraphSubscriptions
    changes: Changes
    keys: KeysFile
    installation: Installation
    clock: Clock

    async def reconcile(self, tenant: Tenant, watch: TenantWatch) -> None:
        """Visit once. What fails is written into the watch, which says when to try again."""
        wishes = watch.wishes()
        seen = await self.graph.seen(tenant)
        if not isinstance(seen, list):
            self._report(tenant, watch, unlisted(seen), ())
            return
        wanted, asked_at = self._wanted(tenant, watch), self.clock.now()
        actions = plan(seen, wanted.desired, asked_at, wishes)
        try:
            steps = await self.changes.carry_out(wanted, actions)
        except NotOwner:
            return
        watch.met(wishes, actions, steps)
        watch.granted = _granted(watch, seen, steps, asked_at)
        self._expires(tenant, watch, expiry(kept(seen, wanted.desired, asked_at, wishes), steps))
        self._report(tenant, watch, verdict(actions, steps), actions)

    def _wanted(self, tenant: Tenant, watch: TenantWatch) -> SignedSubscription:
        key = self.keys.signing()  # asked once: the query must name the key that signs
        desired = DesiredSubscription(
            notification_url=tenant.notification_url,
            lifecycle_url=tenant.lifecycle_url or lifecycle_url_of(tenant.notification_url),
            query=NotificationQuery(CALL_RECORDS, key.kid, self.installation.id),
            active_kid=self.keys.ring.active.kid,
            valid_kids=self.keys.ring.valid_kids(self.clock.now()),
            time_scale=self.installation.time_scale,
            granted=watch.granted,
        )
        return SignedSubscription(tenant, desired, key)

    def _expires(self, tenant: Tenant, watch: TenantWatch, expires_at: datetime | None) -> None:
        watch.expires_at = expires_at
        KEEPER_SUBSCRIPTION_EXPIRY.labels(tenant.tenant_id).set(expires_at.timestamp() if expires_at else 0)

    def _report(
        self, tenant: Tenant, watch: TenantWatch, judged: SubscriptionVerdict, actions: Sequence[SubscriptionAction]
    ) -> None:
        watch.judged(judged, self.clock.monotonic(), self.installation.time_scale)
        replacing = next((a.reason.value for a in actions if isinstance(a, Prove)), None)
        watch.graph_says = self.graph.said(tenant.tenant_id) if judged.reason is not None else None
        watch.outdated = replacing if judged.situation is SubscriptionState.OUTDATED else None
        if judged.reason is not None:
            KEEPER_PASS_FAILURES.labels(judged.reason).inc()
        if judged.situation is not SubscriptionState.ACTIVE:
            self._log(tenant, watch, next((a.subscription_id for a in actions if isinstance(a, Foreign)), None))

    def _log(self, tenant: Tenant, watch: TenantWatch, foreign: str | None) -> None:
        passing = watch.reason in _PASSING and watch.situation is not SubscriptionState.MISSING
        log = _log.warning if passing or watch.reason == "gone" else _log.error
        log(
            _SENTENCES[watch.situation],
            tenant_id=tenant.tenant_id,
            state=watch.situation.value,
            reason=watch.outdated or watch.reason,
            outcome=watch.reason,
            subscription_id=foreign,
            graph_says=watch.graph_says,
            delay_s=round(watch.due_at - self.clock.monotonic(), 1),
        )


def _granted(
    watch: TenantWatch, seen: Sequence[ListedSubscription], steps: Sequence[ChangeStep], asked_at: datetime
) -> dict[str, timedelta]:
    """The lives Graph granted, of subscriptions that are still listed or were made or renewed now."""
    listed = {each.id: watch.granted[each.id] for each in seen if each.id in watch.granted}
    return listed | confirmed_lives(steps, asked_at)
