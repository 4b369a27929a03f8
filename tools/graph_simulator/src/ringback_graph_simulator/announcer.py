"""Which subscriptions are notified of a call's change, and as which change type."""

import itertools
import random

import orjson

from ringback_graph_simulator.calls import Call
from ringback_graph_simulator.delivery import Delivery
from ringback_graph_simulator.notifications import Item
from ringback_graph_simulator.subscriptions import Subscription, Subscriptions
from ringback_graph_simulator.world import World

__all__ = ["Announcer"]


class Announcer:
    """Makes items of changes; each live subscription of the tenant gets its own."""

    def __init__(self, subscriptions: Subscriptions, delivery: Delivery, world: World, seed: int) -> None:
        self._subscriptions = subscriptions
        self._world = world
        self._delivery = delivery
        self._rng = random.Random(f"{seed}/announcer")
        self._numbers = itertools.count(1)

    def changed(self, call: Call) -> int:
        """Tell of a new version; returns how many items were queued."""
        items = self._items(call, None)
        if self._rng.random() < self._delivery.settings.duplicates:
            items += [self._copy(item) for item in items]
        for item in items:
            self._delivery.queue(item)
        return len(items)

    def repeat(self, call: Call, count: int, *, client_state: str | None, together: bool) -> int:
        """Tell `count` times more, at will with a forged clientState or all in one request."""
        batches = [self._items(call, client_state) for _ in range(count)]
        items = [item for batch in batches for item in batch]
        if together and items:
            self._delivery.queue_together(items)
        else:
            for item in items:
                self._delivery.queue(item)
        return len(items)

    def lifecycle(self, subscription: Subscription, event: str) -> None:
        """Send a lifecycle event, if the subscription has a URL for it."""
        if subscription.lifecycle_url is not None:
            self._delivery.queue(Item(self._number(), subscription, None, event, subscription.client_state))

    def _items(self, call: Call, forged: str | None) -> list[Item]:
        return [
            self._item(subscription, call, event, forged)
            for subscription in self._subscriptions.of_tenant(call.plan.tenant_id)
            if self._concerns(subscription, call) and (event := self._event(subscription, call)) is not None
        ]

    def _concerns(self, subscription: Subscription, call: Call) -> bool:
        return not subscription.participants or not subscription.participants.isdisjoint(
            orjson.loads(participant).get("id") for participant in self._world.newest(call).participants
        )

    def _item(self, subscription: Subscription, call: Call, event: str, forged: str | None) -> Item:
        if forged is None:
            return Item(self._number(), subscription, call, event, subscription.client_state)
        return Item(self._number(), subscription, call, event, forged, planted="forgedClientState")

    def _copy(self, item: Item) -> Item:
        return Item(self._number(), item.subscription, item.call, item.event, item.client_state, planted="duplicate")

    def _number(self) -> str:
        return f"i{next(self._numbers)}"

    @staticmethod
    def _event(subscription: Subscription, call: Call) -> str | None:
        """`created` once per subscription that asked for it; `updated` also covers the first sight."""
        first = call.plan.call_id not in subscription.seen
        subscription.seen.add(call.plan.call_id)
        if first and "created" in subscription.change_types:
            return "created"
        return "updated" if "updated" in subscription.change_types else None
