"""Change notifications exactly as graph.md 1.2 and 1.5 give them, with the variants that occur."""

import random
import uuid
from dataclasses import dataclass
from typing import Any

from ringback_graph_simulator.calls import Call
from ringback_graph_simulator.clock import instant
from ringback_graph_simulator.subscriptions import Subscription

__all__ = ["Item", "render"]

_CASINGS = ("#Microsoft.Graph.callRecord", "#Microsoft.Graph.callrecord", "#microsoft.graph.callRecord")


@dataclass(slots=True)
class Item:
    """One entry of a notification's `value`.

    Attributes:
        call: None for a lifecycle item.
        event: the change type, or the lifecycle event.
        client_state: what is sent; differs from the subscription's where a forged item is planted.
        planted: `duplicate` or `forgedClientState`, if the item is not Graph's ordinary one.
        version: what Graph held when the POST under way was sent.
    """

    id: str
    subscription: Subscription
    call: Call | None
    event: str
    client_state: str | None
    planted: str | None = None
    version: int = 0

    @property
    def lifecycle(self) -> bool:
        """A lifecycle item, which goes to the lifecycle URL."""
        return self.call is None

    @property
    def url(self) -> str:
        """Where the item is sent."""
        subscription = self.subscription
        return (subscription.lifecycle_url if self.lifecycle else None) or subscription.notification_url

    def entry(self) -> dict[str, Any]:
        """As the ledger shows it."""
        call_id = None if self.call is None else self.call.plan.call_id
        body = {"item": self.id, "tenantId": self.subscription.tenant_id, "callId": call_id, "version": self.version}
        return body | {"changeType": self.event, "planted": self.planted}


def render(item: Item, rng: random.Random, casing: str) -> dict[str, Any]:
    """The item's JSON; `casing` is `mixed` or the one `@odata.type` to use."""
    subscription = item.subscription
    expires = instant(subscription.expires_at)
    if rng.random() < 0.5:
        expires = instant(subscription.expires_at, 3).replace("Z", "+00:00")
    body: dict[str, Any] = {
        "subscriptionId": subscription.id,
        "clientState": item.client_state,
        "subscriptionExpirationDateTime": expires,
        "tenantId": subscription.tenant_id,
    }
    if item.call is None:
        return body | {"lifecycleEvent": item.event}
    resource = f"communications/callRecords/{item.call.plan.call_id}"
    kind = rng.choice(_CASINGS) if casing == "mixed" else casing
    if rng.random() < 0.3:
        body["id"] = str(uuid.UUID(int=rng.getrandbits(128), version=4))
    if rng.random() < 0.2:
        body |= {"lifecycleEvent": None, "encryptedContent": None}  # nullable in the metadata
    data = {"@odata.type": kind, "@odata.id": resource, "id": item.call.plan.call_id}
    return body | {"changeType": item.event, "resource": resource, "resourceData": data}
