"""One look at one tenant: list its subscriptions, decide, act, tell."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from ringback_common import logs
from ringback_common.clock import Clock
from ringback_common.errors import Throttled, Transient
from ringback_common.metrics import KEEPER_ACTIONS, KEEPER_PASS_FAILURES, KEEPER_SUBSCRIPTION_EXPIRY
from ringback_graph.tenants import Tenant

from ringback_ingest.client_state import CALL_RECORDS, NotificationQuery, client_state
from ringback_ingest.keeper.adapters.audit import Audit, Deed
from ringback_ingest.keeper.adapters.graph import GraphSubscriptions
from ringback_ingest.keeper.core.outcomes import Conflict, Done, Gone, Outcome, Refused
from ringback_ingest.keeper.core.plan import (
    LIFETIME,
    Action,
    Create,
    Delete,
    Desired,
    Foreign,
    Renew,
    Seen,
    lifecycle_url_of,
    plan,
)
from ringback_ingest.keeper.core.watch import Situation, Watch
from ringback_ingest.keys_file import KeysFile

__all__ = ["Installation", "Visitor"]

_log = logs.logger(__name__)


@dataclass(frozen=True, slots=True)
class Installation:
    """Which installation this is, and how much faster than in reality its subscriptions age."""

    id: str
    time_scale: float


class _NotOwner(Exception):  # noqa: N818 - not an error: somebody else looks after the tenant now
    """The proof of ownership is gone; nothing more may be written for this tenant."""


@dataclass(frozen=True, slots=True)
class Visitor:
    """Brings a tenant's subscription to what is wanted, and writes the result into its watch."""

    graph: GraphSubscriptions
    audit: Audit
    keys: KeysFile
    installation: Installation
    owns: Callable[[str], bool]
    """Tenant id -> whether it was proved ours less than six seconds ago; asked before every write to Graph."""
    clock: Clock

    async def look(self, tenant: Tenant, watch: Watch) -> None:
        """Look once. What fails is told in the watch and tried again when it says so."""
        try:
            await self._look(tenant, watch)
        except _NotOwner:
            return
        except Throttled as asked:
            self._fail(tenant, watch, "throttled", wait=asked.retry_after)
        except Transient:
            self._fail(tenant, watch, "transient")

    async def _look(self, tenant: Tenant, watch: Watch) -> None:
        reauthorize, removed = frozenset(watch.reauthorize), frozenset(watch.removed)
        seen = await self.graph.seen(tenant)
        if isinstance(seen, Refused):
            self._fail(tenant, watch, seen.reason)
            return
        desired = self._desired(tenant, watch)
        asked_at = self.clock.now()
        actions = plan(seen, desired, asked_at, reauthorize=reauthorize, removed=removed)
        outcomes = await self._carry_out(tenant, desired, actions)
        if outcomes and isinstance(outcomes[-1], Refused):
            self._fail(tenant, watch, outcomes[-1].reason)
            return
        watch.reauthorize -= reauthorize
        watch.removed -= removed
        watch.granted = _granted(watch, seen, outcomes, asked_at)
        self._settle(tenant, watch, seen, actions, outcomes)

    async def _carry_out(self, tenant: Tenant, desired: Desired, actions: Sequence[Action]) -> list[Outcome]:
        """Act in order; what was refused or in conflict ends it, for the rest builds on it."""
        outcomes: list[Outcome] = []
        for action in actions:
            if isinstance(action, Foreign):
                _log.error(
                    "A subscription that is not ours stands in the way.",
                    tenant_id=tenant.tenant_id,
                    subscription_id=action.subscription_id,
                )
                continue
            outcomes.append(await self._act(tenant, desired, action))
            if isinstance(outcomes[-1], Refused | Conflict):
                break
        return outcomes

    async def _act(self, tenant: Tenant, desired: Desired, action: Create | Renew | Delete) -> Outcome:
        if not self.owns(tenant.tenant_id):
            raise _NotOwner
        try:
            outcome = await self._request(tenant, desired, action)
        except Transient as failure:
            await self._tell(tenant, action, type(failure).__name__.lower(), ())
            raise
        await self._tell(tenant, action, _word(outcome), _targets(action, outcome))
        return outcome

    async def _request(self, tenant: Tenant, desired: Desired, action: Create | Renew | Delete) -> Outcome:
        expires_at = self.clock.now() + LIFETIME
        match action:
            case Create():
                key = self.keys.signing()  # asked once: the query must name the key that signs
                named = replace(desired, query=replace(desired.query, kid=key.kid))
                state = client_state(key, tenant.tenant_id, desired.query.slot)
                return await self.graph.create(tenant, named, state, expires_at)
            case Renew(subscription_id):
                return await self.graph.renew(tenant, subscription_id, expires_at)
            case Delete(subscription_id):
                return await self.graph.delete(tenant, subscription_id)

    async def _tell(
        self, tenant: Tenant, action: Create | Renew | Delete, outcome: str, targets: tuple[str, ...]
    ) -> None:
        name = type(action).__name__.lower()
        KEEPER_ACTIONS.labels(name, outcome).inc()
        _log.info(
            "A subscription was looked after.",
            tenant_id=tenant.tenant_id,
            action=name,
            reason=action.reason.value,
            outcome=outcome,
            subscription_id=targets[0] if targets else None,
        )
        await self.audit.write(
            Deed(tenant.tenant_id, f"subscription.{name}", targets, action.reason.value, outcome, self.clock.now())
        )

    def _desired(self, tenant: Tenant, watch: Watch) -> Desired:
        return Desired(
            notification_url=tenant.notification_url,
            lifecycle_url=tenant.lifecycle_url or lifecycle_url_of(tenant.notification_url),
            query=NotificationQuery(CALL_RECORDS, self.keys.signing().kid, self.installation.id),
            valid_kids=self.keys.ring.valid_kids(self.clock.now()),
            time_scale=self.installation.time_scale,
            granted=watch.granted,
        )

    def _settle(
        self, tenant: Tenant, watch: Watch, seen: Sequence[Seen], actions: Sequence[Action], outcomes: Sequence[Outcome]
    ) -> None:
        foreign = any(isinstance(each, Foreign) for each in actions) or any(isinstance(o, Conflict) for o in outcomes)
        situation = Situation.FOREIGN_SUBSCRIPTION if foreign else Situation.ACTIVE
        expires_at = _expiry(seen, outcomes)
        watch.succeeded(situation, expires_at, self.clock.monotonic(), self.installation.time_scale)
        if expires_at is not None:
            KEEPER_SUBSCRIPTION_EXPIRY.labels(tenant.tenant_id).set(expires_at.timestamp())
        if any(isinstance(outcome, Gone) for outcome in outcomes):
            watch.look_again(self.clock.monotonic())
            watch.removed |= _vanished(actions, outcomes)

    def _fail(self, tenant: Tenant, watch: Watch, reason: str, *, wait: float = 0.0) -> None:
        watch.failed(reason, self.clock.monotonic(), wait=wait)
        KEEPER_PASS_FAILURES.labels(reason).inc()
        _log.warning(
            "A tenant's subscription could not be looked after.",
            tenant_id=tenant.tenant_id,
            reason=reason,
            delay_s=round(watch.due_at - self.clock.monotonic(), 1),
        )


def _expiry(seen: Sequence[Seen], outcomes: Sequence[Outcome]) -> datetime | None:
    """What Graph confirmed last, else what it listed."""
    confirmed = [o.expires_at for o in outcomes if isinstance(o, Done) and o.expires_at is not None]
    listed = [s.expires_at for s in seen if s.expires_at is not None]
    return confirmed[-1] if confirmed else max(listed, default=None)


def _granted(
    watch: Watch, seen: Sequence[Seen], outcomes: Sequence[Outcome], asked_at: datetime
) -> dict[str, timedelta]:
    """The lives Graph granted, of subscriptions that are still there; one that is over at once is nobody's measure."""
    kept = {s.id: watch.granted[s.id] for s in seen if s.id in watch.granted}
    confirmed = {o.subscription_id: o.expires_at - asked_at for o in outcomes if isinstance(o, Done) and o.expires_at}
    return kept | {name: life for name, life in confirmed.items() if life > timedelta(0)}


def _vanished(actions: Sequence[Action], outcomes: Sequence[Outcome]) -> set[str]:
    """Renewals that found nothing, whatever Graph's list still shows: the next look recreates instead of renewing."""
    acted = (action for action in actions if not isinstance(action, Foreign))
    pairs = zip(acted, outcomes, strict=False)  # what was refused ended the rest
    return {
        action.subscription_id for action, outcome in pairs if isinstance(action, Renew) and isinstance(outcome, Gone)
    }


def _word(outcome: Outcome) -> str:
    return outcome.reason if isinstance(outcome, Refused) else type(outcome).__name__.lower()


def _targets(action: Create | Renew | Delete, outcome: Outcome) -> tuple[str, ...]:
    match action, outcome:
        case Create(), Done(subscription_id):
            return (subscription_id,)
        case Create(), Conflict(str(existing_id)):
            return (existing_id,)
        case Renew(subscription_id) | Delete(subscription_id), _:
            return (subscription_id,)
        case _:
            return ()
