"""What to do about a tenant's subscription, decided from what Graph lists and what is wanted.

The rules, and where they come from:

- Graph deletes an unrenewed subscription without grace, so it is renewed at half life, of the life that it was granted:
  Graph may grant less than was asked for. A PATCH also reauthorises.
- `reauthorize` is never used: together with a PATCH within ten minutes it leaves the subscription inconsistent.
- Graph refuses a second subscription of the same resource and changeType (409), so a replacement is deleted first.
- Adopted is only what carries our installation id and a key we can still check: anything else would deliver
  notifications that the webhook must take for forged.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from urllib.parse import urlsplit

from ringback_ingest.client_state import NotificationQuery

__all__ = [
    "CALL_RECORDS_RESOURCE",
    "CHANGE_TYPE",
    "LIFETIME",
    "Action",
    "Create",
    "Delete",
    "Desired",
    "Foreign",
    "Reason",
    "Renew",
    "Seen",
    "lifecycle_url_of",
    "plan",
]

CALL_RECORDS_RESOURCE = "communications/callRecords"
CHANGE_TYPE = "updated"
"""It also fires for the first sight of a record; `created` fires once per subscription and would be a second one."""

LIFETIME = timedelta(minutes=4230 - 10)
"""Graph's maximum is 4,230 minutes and to be enforced; ten of them are for clocks that disagree."""


class Reason(StrEnum):
    """Why something is done to a subscription; audited."""

    MISSING = "missing"
    HALF_LIFE = "half_life"
    REAUTHORIZATION_REQUIRED = "reauthorization_required"
    KEY_ROTATED = "key_rotated"
    URL_CHANGED = "url_changed"
    REPEATED = "repeated"


@dataclass(frozen=True, slots=True)
class Seen:
    """One subscription as Graph lists it; `expires_at` None when it could not be read."""

    id: str
    resource: str
    change_type: str
    notification_url: str = field(repr=False)
    lifecycle_url: str | None = field(repr=False)
    expires_at: datetime | None


@dataclass(frozen=True, slots=True)
class Desired:
    """The subscription a tenant should have.

    Attributes:
        notification_url: where notifications shall go, without our query.
        lifecycle_url: where lifecycle events shall go, without our query.
        query: slot, active kid and installation id.
        valid_kids: key ids whose clientState the webhook accepts now.
        time_scale: how much faster than in reality subscriptions age; 1 outside development.
        granted: how long the subscriptions live that Graph was seen to grant a life, by id; others `LIFETIME`.
    """

    notification_url: str = field(repr=False)
    lifecycle_url: str = field(repr=False)
    query: NotificationQuery
    valid_kids: frozenset[str]
    time_scale: float = 1.0
    granted: Mapping[str, timedelta] = field(default_factory=dict[str, timedelta])

    def life(self, subscription_id: str) -> timedelta:
        """How long a subscription lives from its creation or last renewal."""
        return self.granted.get(subscription_id, LIFETIME)


@dataclass(frozen=True, slots=True)
class Create:
    """Subscribe anew."""

    reason: Reason


@dataclass(frozen=True, slots=True)
class Renew:
    """PATCH a new expiry."""

    subscription_id: str
    reason: Reason


@dataclass(frozen=True, slots=True)
class Delete:
    """Remove a subscription of ours."""

    subscription_id: str
    reason: Reason


@dataclass(frozen=True, slots=True)
class Foreign:
    """Report a subscription that is not ours and stands where ours belongs; only people may resolve it."""

    subscription_id: str


Action = Create | Renew | Delete | Foreign


def plan(
    seen: Iterable[Seen],
    desired: Desired,
    now: datetime,
    *,
    reauthorize: frozenset[str] = frozenset(),
    removed: frozenset[str] = frozenset(),
) -> tuple[Action, ...]:
    """Decide what to do, in the order in which to do it.

    Args:
        seen: what Graph lists for the tenant.
        desired: what there should be.
        now: the wall clock.
        reauthorize: subscriptions for which Graph asks to be reauthorised.
        removed: subscriptions Graph says it has removed, whatever its list still shows.
    """
    standing = [s for s in seen if s.id not in removed and _same_subject(s) and _alive(s, desired, now)]
    ours = sorted((s for s in standing if _adoptable(s, desired)), key=_expiry, reverse=True)
    foreign = tuple(Foreign(s.id) for s in standing if s not in ours)
    if not ours:
        return foreign or (Create(Reason.MISSING),)
    kept, *extra = ours
    surplus = tuple(Delete(s.id, Reason.REPEATED) for s in extra)
    outdated = _outdated(kept, desired)
    if outdated is not None and not foreign:  # beside a stranger nothing could be created, and old is better than none
        return (*surplus, Delete(kept.id, outdated), Create(outdated))
    return (*foreign, *surplus, *_renewal(kept, desired, now, reauthorize))


def _same_subject(seen: Seen) -> bool:
    """What differs in resource (a filter makes another one) or in changeType conflicts with nothing of ours."""
    same_resource = seen.resource.strip("/").lower() == CALL_RECORDS_RESOURCE.lower()
    return same_resource and seen.change_type.lower() == CHANGE_TYPE


def _alive(seen: Seen, desired: Desired, now: datetime) -> bool:
    return _spent(seen, desired, now) < 1


def _spent(seen: Seen, desired: Desired, now: datetime) -> float:
    """The share of its life that is over, scaled like the simulator's; a half when its expiry could not be read."""
    if seen.expires_at is None:
        return 0.5
    life = desired.life(seen.id)
    return (now - (seen.expires_at - life)) * desired.time_scale / life


def _adoptable(seen: Seen, desired: Desired) -> bool:
    query = NotificationQuery.of_url(seen.notification_url)
    return (
        query.installation == desired.query.installation
        and query.slot == desired.query.slot
        and query.kid in desired.valid_kids
    )


def _expiry(seen: Seen) -> float:
    return seen.expires_at.timestamp() if seen.expires_at else 0.0


def _outdated(seen: Seen, desired: Desired) -> Reason | None:
    if NotificationQuery.of_url(seen.notification_url).kid != desired.query.kid:
        return Reason.KEY_ROTATED
    moved = not _same_place(seen.notification_url, desired.notification_url)
    # Whether the list shows the lifecycle URL is not documented; absent says nothing.
    if seen.lifecycle_url is not None:
        moved |= not _same_place(seen.lifecycle_url, desired.lifecycle_url)
    return Reason.URL_CHANGED if moved else None


def _same_place(one: str, other: str) -> bool:
    a, b = urlsplit(one), urlsplit(other)
    return (a.scheme, a.netloc, a.path) == (b.scheme, b.netloc, b.path)


def _renewal(kept: Seen, desired: Desired, now: datetime, reauthorize: frozenset[str]) -> Sequence[Action]:
    if kept.id in reauthorize:
        return (Renew(kept.id, Reason.REAUTHORIZATION_REQUIRED),)
    if _spent(kept, desired, now) >= 0.5:  # noqa: PLR2004 - half life
        return (Renew(kept.id, Reason.HALF_LIFE),)
    return ()


def lifecycle_url_of(notification_url: str) -> str:
    """Where lifecycle events go when the tenants file does not say: the notification URL's sibling `lifecycle`."""
    parts = urlsplit(notification_url)
    folder = parts.path.rpartition("/")[0]
    return parts._replace(path=f"{folder}/lifecycle").geturl()
