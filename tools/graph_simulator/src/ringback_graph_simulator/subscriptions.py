"""Subscriptions and the rules by which Graph takes or refuses them (graph.md section 2)."""

import re
import uuid
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

from ringback_graph_simulator.clock import instant, parse_instant
from ringback_graph_simulator.odata import GraphError

__all__ = [
    "LOOPBACK",
    "MAX_LIFE_S",
    "MIN_LIFE_S",
    "Subscription",
    "Subscriptions",
    "check_new",
    "check_url",
    "expiration",
    "new_subscription",
]

MAX_LIFE_S = 4_230 * 60
MIN_LIFE_S = 45 * 60
_QUOTA = 100
_LIFECYCLE_LIFE_S = 3_600
_CLIENT_STATE = 255
_RESOURCE = "communications/callRecords"
_PARTICIPANT = r"p:p/id (?:eq '[^']+'|in \((?:'[^']+', ?)*'[^']+'\))"
_FILTERED = re.compile(
    rf"{_RESOURCE}\?\$filter=participants/any\({_PARTICIPANT}(?: or p/id eq '[^']+')*\)", re.IGNORECASE
)
"""Call records with one of these participants; Graph takes `eq`, `or` and `in` (graph.md section 2)."""
_QUOTED = re.compile(r"'([^']+)'")
_TLS = frozenset({"v1_0", "v1_1", "v1_2", "v1_3"})
LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


def _refuse(message: str, code: str = "InvalidRequest", status: int = HTTPStatus.BAD_REQUEST) -> GraphError:
    return GraphError(status, code, message)


@dataclass(slots=True)
class Subscription:
    """One subscription; instants are seconds since the epoch.

    Attributes:
        expires_at: what Graph says.
        removed_at: when the simulator really removes it: the life shrunk by the time scale.
        seen: calls announced to it, for `created` (first seen by that subscription).
    """

    id: str
    tenant_id: str
    client_id: str
    resource: str
    change_types: frozenset[str]
    notification_url: str
    lifecycle_url: str | None
    client_state: str | None
    tls: str
    expires_at: float
    removed_at: float
    authorized_at: float
    seen: set[str] = field(default_factory=set[str])

    @property
    def participants(self) -> frozenset[str]:
        """Whose calls it is about, by the ids in its filter; empty: all calls."""
        return frozenset(_QUOTED.findall(self.resource))

    def view(self) -> dict[str, Any]:
        """As GET /subscriptions gives it: clientState is never handed back."""
        return {
            "id": self.id,
            "resource": self.resource,
            "applicationId": self.client_id,
            "changeType": ",".join(sorted(self.change_types)),
            "clientState": None,
            "notificationUrl": self.notification_url,
            "notificationQueryOptions": None,
            "lifecycleNotificationUrl": self.lifecycle_url,
            "expirationDateTime": instant(self.expires_at),
            "creatorId": self.client_id,
            "includeResourceData": None,
            "latestSupportedTlsVersion": self.tls,
            "encryptionCertificate": None,
            "encryptionCertificateId": None,
            "notificationUrlAppId": None,
        }


def check_url(url: Any, member: str, http_hosts: frozenset[str] = LOOPBACK) -> str:
    """The URL if the simulator calls it: https, which is all that Graph takes, or http to one of these hosts.

    Raises:
        GraphError: 400, it calls no such URL.
    """
    parts = urlsplit(url) if isinstance(url, str) else None
    if parts is None or not parts.hostname:
        raise _refuse(f"{member} is required and must be an absolute URL.")
    if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in http_hosts):
        raise _refuse(f"{member} must use https.")
    return str(url)


def expiration(value: Any, now: float) -> float:
    """The expiry Graph grants for the one asked for. Raises GraphError 400 for the past or more than 4,230 minutes."""
    try:
        asked = parse_instant(value)
    except (TypeError, ValueError):
        raise _refuse("expirationDateTime is required and must be a date-time.") from None
    if asked <= now:
        raise _refuse("Subscription expiration date must be in the future.")
    if asked > now + MAX_LIFE_S + 60:  # a minute for clocks that differ
        raise _refuse("Subscription expiration can only be 4230 minutes in the future.")
    return max(asked, now + MIN_LIFE_S)


def check_new(
    body: dict[str, Any], now: float, http_hosts: frozenset[str] = LOOPBACK
) -> tuple[str, frozenset[str], float]:
    """Resource, change types and granted expiry of a create request. Raises GraphError 400 with Graph's sentence."""
    resource = str(body.get("resource", "")).lstrip("/")
    if resource != _RESOURCE and _FILTERED.fullmatch(resource) is None:
        raise _refuse(f"Resource '{resource}' is not supported.")
    types = frozenset(part.strip() for part in str(body.get("changeType", "")).split(","))
    if not types <= {"created", "updated"}:
        raise _refuse("changeType must be 'created', 'updated' or both.")
    check_url(body.get("notificationUrl"), "notificationUrl", http_hosts)
    granted = expiration(body.get("expirationDateTime"), now)
    _check_rest(body, granted - now, http_hosts)
    return resource, types, granted


def _check_rest(body: dict[str, Any], life: float, http_hosts: frozenset[str]) -> None:
    if body.get("lifecycleNotificationUrl") is not None:
        check_url(body["lifecycleNotificationUrl"], "lifecycleNotificationUrl", http_hosts)
    elif life > _LIFECYCLE_LIFE_S:
        raise _refuse("lifecycleNotificationUrl is required for subscriptions that expire in more than one hour.")
    if body.get("includeResourceData"):
        raise _refuse("Resource data is not supported for this resource.")
    if len(str(body.get("clientState") or "")) > _CLIENT_STATE:
        raise _refuse("clientState must not be longer than 255 characters.")
    if body.get("latestSupportedTlsVersion", "v1_2") not in _TLS:
        raise _refuse("latestSupportedTlsVersion is not valid.")


class Subscriptions:
    """All live subscriptions."""

    def __init__(self) -> None:
        self._held: dict[str, Subscription] = {}

    def __iter__(self) -> Any:
        return iter(list(self._held.values()))

    def of_tenant(self, tenant_id: str) -> list[Subscription]:
        """Those of every app of a tenant."""
        return [subscription for subscription in self._held.values() if subscription.tenant_id == tenant_id]

    def own(self, tenant_id: str, client_id: str) -> list[Subscription]:
        """Those the calling app may see: its own (graph.md section 2)."""
        return [one for one in self.of_tenant(tenant_id) if one.client_id == client_id]

    def one(self, subscription_id: str, owner: tuple[str, str] | None = None) -> Subscription:
        """By id; `owner` is tenant and app. Raises GraphError 404 if it is gone or of another app or tenant."""
        found = self._held.get(subscription_id.lower())
        if found is None or owner not in {None, (found.tenant_id, found.client_id)}:
            raise _refuse("The object was not found.", "ResourceNotFound", HTTPStatus.NOT_FOUND)
        return found

    def check_free(self, tenant_id: str, client_id: str, resource: str, types: frozenset[str]) -> None:
        """Raise GraphError 409 for a duplicate, naming the one that exists, and 403 past the tenant's quota of 100."""
        for other in self.own(tenant_id, client_id):
            if (other.resource.lower(), other.change_types) == (resource.lower(), types):
                sentence = f"Subscription {other.id} already exists for the requested combination."
                raise _refuse(sentence, "Conflict", HTTPStatus.CONFLICT)
        if len(self.of_tenant(tenant_id)) >= _QUOTA:
            reason = f"Status Code: Forbidden; Reason: Subscription limit of {_QUOTA} reached."
            sentence = f"Operation: Create; Exception: [{reason}]"
            raise _refuse(sentence, "ExtensionError", HTTPStatus.FORBIDDEN)

    def add(self, subscription: Subscription) -> None:
        """Keep it."""
        self._held[subscription.id] = subscription

    def remove(self, subscription_id: str) -> Subscription | None:
        """Take it out, if it is there."""
        return self._held.pop(subscription_id, None)

    def live(self, subscription: Subscription) -> bool:
        """Whether it has not been removed."""
        return self._held.get(subscription.id) is subscription


def new_subscription(
    tenant_id: str,
    client_id: str,
    body: dict[str, Any],
    *,
    resource: str,
    types: frozenset[str],
    now: float,
    granted: float,
    life: float,
) -> Subscription:
    """A checked create request as a subscription; `life` is its real length in seconds."""
    return Subscription(
        id=str(uuid.uuid4()),
        tenant_id=tenant_id,
        client_id=client_id,
        resource=resource,
        change_types=types,
        notification_url=body["notificationUrl"],
        lifecycle_url=body.get("lifecycleNotificationUrl"),
        client_state=body.get("clientState"),
        tls=body.get("latestSupportedTlsVersion", "v1_2"),
        expires_at=granted,
        removed_at=now + life,
        authorized_at=now,
    )
