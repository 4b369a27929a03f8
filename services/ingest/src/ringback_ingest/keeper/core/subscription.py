"""A tenant's subscriptions as Graph lists them, the one it should have, and which of the listed belong to us.

A subscription is ours when its notification URL carries our installation id and slot, and either a key id that is
still valid or our own notification host. What carries none of the two may be another installation of the same app.
"""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from urllib.parse import urlsplit

from ringback_ingest.client_state import NotificationQuery

__all__ = [
    "CALL_RECORDS_RESOURCE",
    "CHANGE_TYPE",
    "LIFETIME",
    "PROOF_LIFETIME",
    "DesiredSubscription",
    "ListedSubscription",
    "conflicting",
    "is_ours",
    "is_proof",
    "lifecycle_url_of",
    "proof_resource",
    "same_place",
    "spent",
]

CALL_RECORDS_RESOURCE = "communications/callRecords"
CHANGE_TYPE = "updated"
"""It also fires for the first sight of a record; `created` fires once per subscription and would be a second one."""

LIFETIME = timedelta(minutes=4230 - 10)
"""Graph's maximum is 4,230 minutes and to be enforced; ten of them are for clocks that disagree."""

PROOF_LIFETIME = timedelta(minutes=45)
"""Graph's minimum: a proof that is left behind, by a crash, ends by itself then."""


@dataclass(frozen=True, slots=True)
class ListedSubscription:
    """One subscription as Graph lists it; `expires_at` None when it could not be read."""

    id: str
    resource: str
    change_type: str
    notification_url: str = field(repr=False)
    lifecycle_url: str | None = field(repr=False)
    expires_at: datetime | None


@dataclass(frozen=True, slots=True)
class DesiredSubscription:
    """The subscription a tenant should have.

    Attributes:
        notification_url: where notifications shall go, without our query.
        lifecycle_url: where lifecycle events shall go, without our query.
        query: slot, installation id and the id of the key that signs now.
        active_kid: the id of the key that is to sign in the end; another than the query's while it may not sign yet.
        valid_kids: key ids whose clientState the webhook accepts now.
        time_scale: how much faster than in reality subscriptions age; 1 outside development.
        granted: how long the subscriptions live that Graph was seen to grant a life, by id; others `LIFETIME`.
    """

    notification_url: str = field(repr=False)
    lifecycle_url: str = field(repr=False)
    query: NotificationQuery
    active_kid: str
    valid_kids: frozenset[str]
    time_scale: float = 1.0
    granted: Mapping[str, timedelta] = field(default_factory=dict[str, timedelta])

    def life(self, subscription_id: str) -> timedelta:
        """How long a subscription lives from its creation or last renewal."""
        return self.granted.get(subscription_id, LIFETIME)


def proof_resource(installation: str) -> str:
    """The resource of a proof: call records of one participant with an id that no user has.

    Graph validates both URLs for it as for every other resource; it conflicts with no real subscription, nor with the
    proof of another installation of the same app, and nothing is ever delivered to it.
    """
    return f"{CALL_RECORDS_RESOURCE}?$filter=participants/any(p:p/id eq '{_unused_id(installation)}')"


def is_proof(seen: ListedSubscription, installation: str) -> bool:
    """Whether it is a proof of this installation, however Graph writes its resource."""
    return _unused_id(installation) in seen.resource.lower()


def _unused_id(installation: str) -> str:
    """A UUID of version 8, made of the installation's id; the ids of users have version 4."""
    digest = hashlib.sha256(f"ringback proof {installation}".encode()).hexdigest()
    return f"{digest[:8]}-{digest[8:12]}-8{digest[13:16]}-8{digest[17:20]}-{digest[20:32]}"


def conflicting(
    seen: Iterable[ListedSubscription], desired: DesiredSubscription, now: datetime
) -> list[ListedSubscription]:
    """The living subscriptions beside which Graph refuses ours: those of the same resource and changeType."""
    return [each for each in seen if _same_subject(each) and spent(each, desired, now) < 1]


def _same_subject(seen: ListedSubscription) -> bool:
    same_resource = seen.resource.strip("/").lower() == CALL_RECORDS_RESOURCE.lower()
    return same_resource and seen.change_type.lower() == CHANGE_TYPE


def spent(seen: ListedSubscription, desired: DesiredSubscription, now: datetime) -> float:
    """The share of its life that is over, scaled like the simulator's; a half when its expiry could not be read."""
    if seen.expires_at is None:
        return 0.5
    life = desired.life(seen.id)
    return (now - (seen.expires_at - life)) * desired.time_scale / life


def is_ours(seen: ListedSubscription, desired: DesiredSubscription) -> bool:
    """Whether it belongs to this installation; its key may be valid or not."""
    query = NotificationQuery.of_url(seen.notification_url)
    named = (query.installation, query.slot) == (desired.query.installation, desired.query.slot)
    return named and (query.kid in desired.valid_kids or _same_host(seen.notification_url, desired.notification_url))


def same_place(one: str, other: str) -> bool:
    """Whether two URLs differ in their query at most; host and port may be written in several ways."""
    a, b = urlsplit(one), urlsplit(other)
    return _same_host(one, other) and (a.scheme, a.path) == (b.scheme, b.path)


def _same_host(one: str, other: str) -> bool:
    return _host(one) == _host(other)


def _host(url: str) -> str:
    return urlsplit(url).netloc.lower().removesuffix(":443")


def lifecycle_url_of(notification_url: str) -> str:
    """Where lifecycle events go when the tenants file does not say: the notification URL's sibling `lifecycle`."""
    parts = urlsplit(notification_url)
    folder = parts.path.rpartition("/")[0]
    return parts._replace(path=f"{folder}/lifecycle").geturl()
