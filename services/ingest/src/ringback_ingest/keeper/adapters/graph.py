"""Graph's subscriptions, spoken of in the keeper's own words."""

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import TypeVar

from ringback_common.errors import Throttled, Transient, UntrustedCertificate
from ringback_events.keys import canonical_id
from ringback_graph.answers import AuthFailed, Forbidden, Hostile, Malformed
from ringback_graph.answers import Refused as GraphRefused
from ringback_graph.subscriptions import Conflict as GraphConflict
from ringback_graph.subscriptions import (
    Deleted,
    NewSubscription,
    NotAccepted,
    Subscription,
    SubscriptionFailure,
    Subscriptions,
)
from ringback_graph.subscriptions import Gone as GraphGone
from ringback_graph.tenants import Tenant

from ringback_ingest.keeper.core.outcomes import (
    ChangeDone,
    ChangeOutcome,
    ChangeRefused,
    ChangeUnanswered,
    SubscriptionConflict,
    SubscriptionGone,
)
from ringback_ingest.keeper.core.subscription import CHANGE_TYPE, DesiredSubscription, ListedSubscription

__all__ = ["GraphSubscriptions"]

T = TypeVar("T")


class GraphSubscriptions:
    """Lists and changes a tenant's subscriptions.

    Args:
        subscriptions: asks Graph.
        said: tenant id -> what Graph said when it refused the tenant's last request, without data.
    """

    def __init__(self, subscriptions: Subscriptions, said: Callable[[str], str | None] = lambda _: None) -> None:
        self._subscriptions = subscriptions
        self.said = said

    async def seen(self, tenant: Tenant) -> list[ListedSubscription] | ChangeRefused | ChangeUnanswered:
        """All subscriptions of our app in the tenant; others' are invisible to us."""
        listed = await _answered(self._subscriptions.list(tenant))
        if isinstance(listed, ChangeUnanswered):
            return listed
        return [_seen(each) for each in listed] if isinstance(listed, list) else _refused(listed)

    async def create(
        self, tenant: Tenant, desired: DesiredSubscription, resource: str, client_state: str, expires_at: datetime
    ) -> ChangeOutcome:
        """Subscribe; Graph validates both URLs before it answers."""
        wanted = NewSubscription(
            resource=resource,
            change_type=CHANGE_TYPE,
            notification_url=desired.query.added_to(desired.notification_url),
            lifecycle_url=desired.query.added_to(desired.lifecycle_url),
            client_state=client_state,
            expires_at=expires_at,
        )
        return _outcome(await _answered(self._subscriptions.create(tenant, wanted)))

    async def renew(self, tenant: Tenant, subscription_id: str, expires_at: datetime) -> ChangeOutcome:
        """PATCH a new expiry, which also reauthorises."""
        return _outcome(await _answered(self._subscriptions.renew(tenant, subscription_id, expires_at)))

    async def delete(self, tenant: Tenant, subscription_id: str) -> ChangeOutcome:
        """Remove a subscription."""
        answer = await _answered(self._subscriptions.delete(tenant, subscription_id))
        return ChangeDone(subscription_id) if isinstance(answer, Deleted) else _outcome(answer)


async def _answered(request: Awaitable[T]) -> T | ChangeUnanswered:
    try:
        return await request
    except Throttled as asked:
        return ChangeUnanswered("throttled", asked.retry_after)
    except UntrustedCertificate:
        return ChangeUnanswered("certificate")
    except Transient:
        return ChangeUnanswered("transient")


def _seen(subscription: Subscription) -> ListedSubscription:
    return ListedSubscription(
        id=canonical_id(subscription.id),
        resource=subscription.resource or "",
        change_type=subscription.change_type or "",
        notification_url=subscription.notification_url or "",
        lifecycle_url=subscription.lifecycle_url,
        expires_at=subscription.expires_at,
    )


def _outcome(
    answer: Subscription | GraphConflict | GraphGone | SubscriptionFailure | ChangeUnanswered,
) -> ChangeOutcome:
    match answer:
        case Subscription():
            return ChangeDone(canonical_id(answer.id), answer.expires_at)
        case GraphConflict():
            return SubscriptionConflict(answer.existing_id)
        case GraphGone():
            return SubscriptionGone()
        case ChangeUnanswered():
            return answer
        case failure:
            return _refused(failure)


def _refused(failure: SubscriptionFailure) -> ChangeRefused:
    match failure:
        case AuthFailed():
            return ChangeRefused("auth_failed")
        case Forbidden():
            return ChangeRefused("forbidden")
        case NotAccepted(hint=hint):
            return ChangeRefused(hint.value)
        case GraphRefused(status=status):
            return ChangeRefused(f"status_{status}")
        case Malformed() | Hostile():
            return ChangeRefused("malformed_answer")
