"""A subscription's life: handshake, creation, renewal, reauthorisation, expiry (graph.md 1.1, 1.5, section 2)."""

from typing import Any

from ringback_graph_simulator.announcer import Announcer
from ringback_graph_simulator.clock import GraphClock, instant
from ringback_graph_simulator.handshake import Handshake
from ringback_graph_simulator.ledger import Ledger
from ringback_graph_simulator.odata import GraphError
from ringback_graph_simulator.subscriptions import (
    LOOPBACK,
    Subscription,
    Subscriptions,
    check_new,
    check_url,
    expiration,
    new_subscription,
)
from ringback_graph_simulator.timetable import Timetable
from ringback_graph_simulator.tokens import Tenant

__all__ = ["SubscriptionService"]

_REMIND_BEFORE_S = 3_600.0
_REMIND_EVERY_S = 900.0
_PATCHABLE = frozenset({"expirationDateTime", "notificationUrl"})


class SubscriptionService:
    """What the /subscriptions routes do."""

    def __init__(
        self,
        subscriptions: Subscriptions,
        handshake: Handshake,
        announcer: Announcer,
        timetable: Timetable,
        ledger: Ledger,
        clock: GraphClock,
        http_hosts: frozenset[str],
    ) -> None:
        self.subscriptions = subscriptions
        self._handshake = handshake
        self._announcer = announcer
        self._timetable = timetable
        self._ledger = ledger
        self._clock = clock
        self._http_hosts = LOOPBACK | http_hosts

    async def create(self, tenant: Tenant, body: dict[str, Any]) -> Subscription:
        """POST /subscriptions. Raises GraphError."""
        resource, types, granted = check_new(body, self._clock.now(), self._http_hosts)
        self.subscriptions.check_free(tenant.tenant_id, tenant.client_id, resource, types)
        await self._handshake.validate(body["notificationUrl"], body.get("lifecycleNotificationUrl"))
        self.subscriptions.check_free(
            tenant.tenant_id, tenant.client_id, resource, types
        )  # another may have come meanwhile
        now = self._clock.now()
        life = self._clock.scaled(granted - now)
        subscription = new_subscription(
            tenant.tenant_id,
            tenant.client_id,
            body,
            resource=resource,
            types=types,
            now=now,
            granted=granted,
            life=life,
        )
        self.subscriptions.add(subscription)
        self._arm(subscription, "created")
        return subscription

    async def patch(self, subscription: Subscription, body: dict[str, Any]) -> Subscription:
        """PATCH renews and reauthorises; a new URL is validated first. Raises GraphError."""
        if not body or not body.keys() <= _PATCHABLE:
            raise GraphError(400, "InvalidRequest", f"Only {sorted(_PATCHABLE)} can be changed.")
        if "notificationUrl" in body:
            url = check_url(body["notificationUrl"], "notificationUrl", self._http_hosts)
            await self._handshake.validate(url, None)
            subscription.notification_url = url
        now = self._clock.now()
        if "expirationDateTime" in body:
            subscription.expires_at = expiration(body["expirationDateTime"], now)
            subscription.removed_at = now + self._clock.scaled(subscription.expires_at - now)
        subscription.authorized_at = now
        self._arm(subscription, "renewed")
        return subscription

    def reauthorize(self, subscription: Subscription) -> None:
        """POST …/reauthorize: a fresh grant, the same expiry."""
        subscription.authorized_at = self._clock.now()
        self._note(subscription, "reauthorized")

    def remove(self, subscription: Subscription, event: str) -> None:
        """Take it out; `event` is `deleted` by its owner or `removed` by Graph in silence."""
        self.subscriptions.remove(subscription.id)
        self._note(subscription, event)

    def lifecycle(self, subscription: Subscription, event: str) -> None:
        """Send a lifecycle event; `subscriptionRemoved` is also true."""
        self._note(subscription, "lifecycle", lifecycleEvent=event)
        self._announcer.lifecycle(subscription, event)
        if event == "subscriptionRemoved":
            self.remove(subscription, "removed")

    def _arm(self, subscription: Subscription, event: str) -> None:
        self._note(subscription, event)
        due = subscription.removed_at
        self._timetable.at(due, lambda: self._expire(subscription, due))
        left = due - self._clock.now()
        remind = due - min(self._clock.scaled(_REMIND_BEFORE_S), left / 4)
        self._timetable.at(remind, lambda: self._remind(subscription, due))

    def _expire(self, subscription: Subscription, due: float) -> None:
        if self._unchanged(subscription, due):
            self.remove(subscription, "expired")

    def _remind(self, subscription: Subscription, due: float) -> None:
        if self._unchanged(subscription, due):
            self.lifecycle(subscription, "reauthorizationRequired")
            again = self._clock.now() + self._clock.scaled(_REMIND_EVERY_S)
            if again < due:
                self._timetable.at(again, lambda: self._remind(subscription, due))

    def _unchanged(self, subscription: Subscription, due: float) -> bool:
        return self.subscriptions.live(subscription) and subscription.removed_at == due

    def _note(self, subscription: Subscription, event: str, **more: str) -> None:
        self._ledger.write(
            "subscription", at=self._clock.now(), event=event, subscriptionId=subscription.id,
            tenantId=subscription.tenant_id, expirationDateTime=instant(subscription.expires_at),
            resource=subscription.resource, notificationUrl=subscription.notification_url, **more,
        )  # fmt: skip
