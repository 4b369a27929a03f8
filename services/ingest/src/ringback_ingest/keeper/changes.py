"""Changes of a tenant's subscriptions at Graph: each only by the proven owner of the tenant, each audited."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from ringback_common import logs
from ringback_common.clock import Clock
from ringback_common.metrics import KEEPER_ACTIONS
from ringback_events.platform_events import AuditEntry
from ringback_graph.tenants import Tenant

from ringback_ingest.client_state import Key, client_state
from ringback_ingest.keeper.adapters.audit import ACTOR, Audit
from ringback_ingest.keeper.adapters.graph import GraphSubscriptions
from ringback_ingest.keeper.core.outcomes import ChangeDone, ChangeOutcome, SubscriptionConflict
from ringback_ingest.keeper.core.plan import (
    Change,
    ChangeReason,
    Create,
    Delete,
    Foreign,
    Prove,
    Renew,
    SubscriptionAction,
)
from ringback_ingest.keeper.core.subscription import (
    CALL_RECORDS_RESOURCE,
    LIFETIME,
    PROOF_LIFETIME,
    DesiredSubscription,
    proof_resource,
)
from ringback_ingest.keeper.core.verdict import ChangeStep, failed, word

__all__ = ["Changes", "NotOwner", "SignedSubscription"]

_log = logs.logger(__name__)


class NotOwner(Exception):  # noqa: N818 - not an error: another keeper has the tenant now
    """The proof of ownership has run out; nothing more may be written for this tenant."""


@dataclass(frozen=True, slots=True)
class SignedSubscription:
    """What a tenant's subscription should be, and the key that signs it, which the desired query names."""

    tenant: Tenant
    desired: DesiredSubscription
    key: Key


@dataclass(frozen=True, slots=True)
class Changes:
    """Asks Graph for the changes that were planned."""

    graph: GraphSubscriptions
    audit: Audit
    owns: Callable[[str], bool]
    """Tenant id -> whether it was proved ours less than six seconds ago; asked before every write to Graph."""
    clock: Clock

    async def carry_out(self, wanted: SignedSubscription, actions: Sequence[SubscriptionAction]) -> list[ChangeStep]:
        """Ask for the changes in order; the first that fails ends it, for the rest builds on it.

        Raises:
            NotOwner: the tenant is no longer proved ours.
        """
        steps: list[ChangeStep] = []
        for action in actions:
            if isinstance(action, Foreign):
                continue
            steps.append(ChangeStep(action, await self._change(wanted, action)))
            if failed(steps[-1].outcome):
                break
        return steps

    async def _change(self, wanted: SignedSubscription, change: Change) -> ChangeOutcome:
        outcome = await self._owned(wanted, change)
        if isinstance(change, Prove) and isinstance(outcome, ChangeDone):
            return await self._owned(wanted, Delete(outcome.subscription_id, ChangeReason.PROOF))
        return outcome

    async def _owned(self, wanted: SignedSubscription, change: Change) -> ChangeOutcome:
        if not self.owns(wanted.tenant.tenant_id):
            raise NotOwner
        outcome = await self._request(wanted, change)
        await self._record(wanted.tenant, change, outcome)
        return outcome

    async def _request(self, wanted: SignedSubscription, change: Change) -> ChangeOutcome:
        tenant, now = wanted.tenant, self.clock.now()
        match change:
            case Create():
                return await self._create(wanted, CALL_RECORDS_RESOURCE, now + LIFETIME)
            case Prove():
                resource = proof_resource(wanted.desired.query.installation)
                return await self._create(wanted, resource, now + PROOF_LIFETIME)
            case Renew(subscription_id):
                return await self.graph.renew(tenant, subscription_id, now + LIFETIME)
            case Delete(subscription_id):
                return await self.graph.delete(tenant, subscription_id)

    async def _create(self, wanted: SignedSubscription, resource: str, expires_at: datetime) -> ChangeOutcome:
        state = client_state(wanted.key, wanted.tenant.tenant_id, wanted.desired.query.slot)
        return await self.graph.create(wanted.tenant, wanted.desired, resource, state, expires_at)

    async def _record(self, tenant: Tenant, change: Change, outcome: ChangeOutcome) -> None:
        name, targets = type(change).__name__.lower(), _targets(change, outcome)
        KEEPER_ACTIONS.labels(name, word(outcome)).inc()
        log, sentence = _line(outcome)
        log(
            sentence,
            tenant_id=tenant.tenant_id,
            action=name,
            reason=change.reason.value,
            outcome=word(outcome),
            subscription_id=targets[0] if targets else None,
            graph_says=self.graph.said(tenant.tenant_id) if failed(outcome) else None,
        )
        entry = AuditEntry(
            actor=ACTOR,
            action=f"subscription.{name}",
            tenant_id=tenant.tenant_id,
            targets=list(targets),
            reason=change.reason.value,
            at=self.clock.now(),
            outcome=word(outcome),
        )
        await self.audit.write(entry)


def _line(outcome: ChangeOutcome) -> tuple[Callable[..., None], str]:
    if failed(outcome):
        return _log.warning, "A subscription was not changed."
    return _log.info, "A subscription was changed."


def _targets(change: Change, outcome: ChangeOutcome) -> tuple[str, ...]:
    match change, outcome:
        case Create() | Prove(), ChangeDone(subscription_id):
            return (subscription_id,)
        case Create() | Prove(), SubscriptionConflict(str(existing_id)):
            return (existing_id,)
        case Renew(subscription_id) | Delete(subscription_id), _:
            return (subscription_id,)
        case _:
            return ()
