"""Graph's subscriptions, spoken of in the keeper's own words."""

from datetime import datetime

from ringback_events.keys import canonical_id
from ringback_graph.answers import AuthFailed, Forbidden, Hostile, Malformed
from ringback_graph.answers import Refused as GraphRefused
from ringback_graph.subscriptions import Conflict as GraphConflict
from ringback_graph.subscriptions import Deleted, Failure, NewSubscription, NotAccepted, Subscription, Subscriptions
from ringback_graph.subscriptions import Gone as GraphGone
from ringback_graph.tenants import Tenant

from ringback_ingest.keeper.core.outcomes import Conflict, Done, Gone, Outcome, Refused
from ringback_ingest.keeper.core.plan import CALL_RECORDS_RESOURCE, CHANGE_TYPE, Desired, Seen

__all__ = ["GraphSubscriptions"]


class GraphSubscriptions:
    """Lists and changes a tenant's subscriptions.

    Every method may raise `Transient`, and `Throttled` with the time Graph asks to wait.
    """

    def __init__(self, subscriptions: Subscriptions) -> None:
        self._subscriptions = subscriptions

    async def seen(self, tenant: Tenant) -> list[Seen] | Refused:
        """All subscriptions of our app in the tenant; others' are invisible to us."""
        listed = await self._subscriptions.list(tenant)
        return [_seen(each) for each in listed] if isinstance(listed, list) else _refused(listed)

    async def create(self, tenant: Tenant, desired: Desired, client_state: str, expires_at: datetime) -> Outcome:
        """Subscribe; Graph validates both URLs before it answers."""
        wanted = NewSubscription(
            resource=CALL_RECORDS_RESOURCE,
            change_type=CHANGE_TYPE,
            notification_url=desired.query.added_to(desired.notification_url),
            lifecycle_url=desired.query.added_to(desired.lifecycle_url),
            client_state=client_state,
            expires_at=expires_at,
        )
        return _outcome(await self._subscriptions.create(tenant, wanted))

    async def renew(self, tenant: Tenant, subscription_id: str, expires_at: datetime) -> Outcome:
        """PATCH a new expiry, which also reauthorises."""
        return _outcome(await self._subscriptions.renew(tenant, subscription_id, expires_at))

    async def delete(self, tenant: Tenant, subscription_id: str) -> Outcome:
        """Remove a subscription."""
        answer = await self._subscriptions.delete(tenant, subscription_id)
        return Done(subscription_id) if isinstance(answer, Deleted) else _outcome(answer)


def _seen(subscription: Subscription) -> Seen:
    return Seen(
        id=canonical_id(subscription.id),
        resource=subscription.resource or "",
        change_type=subscription.change_type or "",
        notification_url=subscription.notification_url or "",
        lifecycle_url=subscription.lifecycle_url,
        expires_at=subscription.expires_at,
    )


def _outcome(answer: Subscription | GraphConflict | GraphGone | Failure) -> Outcome:
    match answer:
        case Subscription():
            return Done(answer.id, answer.expires_at)
        case GraphConflict():
            return Conflict(answer.existing_id)
        case GraphGone():
            return Gone()
        case failure:
            return _refused(failure)


def _refused(failure: Failure) -> Refused:
    match failure:
        case AuthFailed():
            return Refused("auth_failed")
        case Forbidden():
            return Refused("forbidden")
        case NotAccepted(hint=hint):
            return Refused(hint.value)
        case GraphRefused(status=status):
            return Refused(f"status_{status}")
        case Malformed() | Hostile():
            return Refused("malformed_answer")
