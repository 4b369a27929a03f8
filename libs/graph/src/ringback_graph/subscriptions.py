"""Subscriptions at Graph: list, create, renew, delete. What Graph refuses is an answer, not an exception."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any, cast

from ringback_events.times import wire_time

from ringback_graph.answers import AuthFailed, Forbidden, Hostile, Malformed, Refused
from ringback_graph.availability import Priority
from ringback_graph.client import Call, GraphClient, error_code, json_object
from ringback_graph.exchange import Reply
from ringback_graph.links import HostileLink
from ringback_graph.parse import epoch_micros, text
from ringback_graph.tenants import Tenant

__all__ = [
    "Conflict",
    "Deleted",
    "Gone",
    "Hint",
    "NewSubscription",
    "NotAccepted",
    "Subscription",
    "SubscriptionFailure",
    "Subscriptions",
]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_GUID = re.compile(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}", re.IGNORECASE)
_MOST_PAGES = 20
"""An organisation may have 100 call-record subscriptions, an app's others come on top; a page holds 100 or more."""


@dataclass(frozen=True, slots=True)
class Subscription:
    """One subscription as Graph describes it."""

    id: str
    resource: str | None
    change_type: str | None
    notification_url: str | None = field(repr=False)
    lifecycle_url: str | None = field(repr=False)
    expires_at: datetime | None
    raw: dict[str, Any] = field(repr=False)
    """Every member Graph sent."""


@dataclass(frozen=True, slots=True)
class NewSubscription:
    """What to subscribe to."""

    resource: str
    change_type: str
    notification_url: str = field(repr=False)
    lifecycle_url: str = field(repr=False)
    """Can only be given at creation."""
    client_state: str = field(repr=False)
    """At most 128 characters."""
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Conflict:
    """409: this app already has one with the same resource and changeType."""

    existing_id: str | None
    """As Graph's message names it, if it does."""


@dataclass(frozen=True, slots=True)
class Gone:
    """404 or 410, or an id no subscription can have: there is no such subscription (any more)."""


@dataclass(frozen=True, slots=True)
class Deleted:
    """It is deleted."""


class Hint(StrEnum):
    """What a refusal is most likely about, read from Graph's words."""

    QUOTA = "quota"
    """The organisation has its 100 subscriptions."""
    VALIDATION = "validation"
    """Graph could not validate the notification or lifecycle URL: it did not answer in 10 s, or not with the token."""


@dataclass(frozen=True, slots=True)
class NotAccepted:
    """Graph refuses, and its words say why."""

    status: int
    code: str
    hint: Hint


SubscriptionFailure = AuthFailed | Forbidden | Refused | NotAccepted | Malformed | Hostile


class Subscriptions:
    """The subscription operations of every tenant, within the keeper's budget."""

    def __init__(self, client: GraphClient) -> None:
        self._client = client

    async def list(self, tenant: Tenant, trace_id: str | None = None) -> list[Subscription] | SubscriptionFailure:
        """Every subscription of our app in this tenant, over all pages. Raises Transient, Throttled."""
        found: list[Subscription] = []
        url: object = _collection(tenant)
        for _ in range(_MOST_PAGES):
            page = await self._page(tenant, url, trace_id)
            if not isinstance(page, dict):
                return page
            values = page.get("value")
            if not isinstance(values, list):
                return Malformed("value")  # e.g. an error under 200: it is no empty list
            found.extend(_subscriptions(cast("list[object]", values)))
            url = page.get("@odata.nextLink")
            if url is None:
                return found
        return Malformed("next_link")

    async def create(
        self, tenant: Tenant, new: NewSubscription, trace_id: str | None = None
    ) -> Subscription | Conflict | SubscriptionFailure:
        """Subscribe; Graph validates both URLs before it answers. Raises Transient, Throttled."""
        reply = await self._send(tenant, "POST", _collection(tenant), _creation(new), trace_id)
        if isinstance(reply, Reply) and reply.status == 409:  # noqa: PLR2004 - HTTP
            return Conflict(_named_id(reply))
        return _one(reply)

    async def renew(
        self, tenant: Tenant, subscription_id: str, expires_at: datetime, trace_id: str | None = None
    ) -> Subscription | Gone | SubscriptionFailure:
        """Extend and reauthorise in one PATCH. Raises Transient, Throttled."""
        if _GUID.fullmatch(subscription_id) is None:
            return Gone()
        body = {"expirationDateTime": wire_time(expires_at)}
        return _gone_or(await self._send(tenant, "PATCH", _item(tenant, subscription_id), body, trace_id))

    async def delete(
        self, tenant: Tenant, subscription_id: str, trace_id: str | None = None
    ) -> Deleted | Gone | SubscriptionFailure:
        """End a subscription. Raises Transient, Throttled."""
        if _GUID.fullmatch(subscription_id) is None:
            return Gone()
        reply = await self._send(tenant, "DELETE", _item(tenant, subscription_id), None, trace_id)
        if isinstance(reply, Reply) and reply.status in {200, 204}:
            return Deleted()
        answer = _gone_or(reply)
        return Malformed("status") if isinstance(answer, Subscription) else answer

    async def _page(self, tenant: Tenant, url: object, trace_id: str | None) -> dict[str, Any] | SubscriptionFailure:
        if not isinstance(url, str):
            return Malformed("next_link")
        try:
            reply = await self._send(tenant, "GET", url, None, trace_id)
        except HostileLink as hostile:
            return Hostile(hostile.why)
        if isinstance(reply, AuthFailed):
            return reply
        if reply.status != 200:  # noqa: PLR2004 - HTTP
            return _refusal(reply)
        return json_object(reply) or Malformed("json")

    async def _send(
        self, tenant: Tenant, method: str, url: str, body: dict[str, Any] | None, trace_id: str | None
    ) -> Reply | AuthFailed:
        operation = f"subscription_{method.lower()}"
        return await self._client.send(
            Call(tenant, operation, method, url, Priority.LIVE, body=body, trace_id=trace_id)
        )


def _collection(tenant: Tenant) -> str:
    return f"{tenant.graph_url}/v1.0/subscriptions"


def _item(tenant: Tenant, subscription_id: str) -> str:
    return f"{_collection(tenant)}/{subscription_id}"


def _creation(new: NewSubscription) -> dict[str, Any]:
    return {
        "changeType": new.change_type,
        "resource": new.resource,
        "notificationUrl": new.notification_url,
        "lifecycleNotificationUrl": new.lifecycle_url,
        "clientState": new.client_state,
        "expirationDateTime": wire_time(new.expires_at),
        "latestSupportedTlsVersion": "v1_2",
    }


def _gone_or(reply: Reply | AuthFailed) -> Subscription | Gone | SubscriptionFailure:
    return Gone() if isinstance(reply, Reply) and reply.status in {404, 410} else _one(reply)


def _one(reply: Reply | AuthFailed) -> Subscription | SubscriptionFailure:
    if isinstance(reply, AuthFailed):
        return reply
    if reply.status not in {200, 201}:
        return _refusal(reply)
    return _subscription(json_object(reply)) or Malformed("subscription")


def _refusal(reply: Reply) -> SubscriptionFailure:
    hint = _hint(reply)
    if hint is not None:
        return NotAccepted(reply.status, error_code(reply), hint)
    return Forbidden(error_code(reply)) if reply.status == 403 else Refused(reply.status, error_code(reply))  # noqa: PLR2004 - HTTP


def _hint(reply: Reply) -> Hint | None:
    """Graph has one code for many refusals; only its message tells them apart. It goes no further than here."""
    message = _message(reply).lower()
    if reply.status == 403 and "limit" in message:  # noqa: PLR2004 - HTTP
        return Hint.QUOTA
    if reply.status == 400 and "validation request" in message:  # noqa: PLR2004 - HTTP
        return Hint.VALIDATION
    return None


def _message(reply: Reply) -> str:
    error = (json_object(reply) or {}).get("error")
    return text(cast("dict[str, Any]", error).get("message")) or "" if isinstance(error, dict) else ""


def _named_id(reply: Reply) -> str | None:
    found = _GUID.search(_message(reply))
    return found[0].lower() if found else None


def _subscriptions(values: list[object]) -> Iterator[Subscription]:
    for each in values:
        if (found := _subscription(each)) is not None:
            yield found


def _subscription(value: object) -> Subscription | None:
    if not isinstance(value, dict):
        return None
    raw = cast("dict[str, Any]", value)
    name = text(raw.get("id"))
    if not name:
        return None
    micros = epoch_micros(raw.get("expirationDateTime"))
    return Subscription(
        id=name,
        resource=text(raw.get("resource")),
        change_type=text(raw.get("changeType")),
        notification_url=text(raw.get("notificationUrl")),
        lifecycle_url=text(raw.get("lifecycleNotificationUrl")),
        expires_at=None if micros is None else _EPOCH + timedelta(microseconds=micros),
        raw=raw,
    )
