"""What to do about a tenant's subscription, decided from what Graph lists and what is wanted.

The rules, and where they come from:

- Graph deletes an unrenewed subscription without grace, so it is renewed at half life, of the life that it was granted:
  Graph may grant less than was asked for. A PATCH also reauthorises.
- `reauthorize` is never used: together with a PATCH within ten minutes it leaves the subscription inconsistent.
- Graph refuses a second subscription of the same resource and changeType (409), so a replacement is deleted first, and
  before that Graph has to accept its URLs for a proof (docs/adr/0034-a-replacement-is-proven-first.md).
- The present subscription is renewed before anything is tried with its replacement.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from ringback_ingest.client_state import NotificationQuery
from ringback_ingest.keeper.core.subscription import (
    DesiredSubscription,
    ListedSubscription,
    conflicting,
    is_ours,
    is_proof,
    same_place,
    spent,
)

__all__ = [
    "Change",
    "ChangeReason",
    "Create",
    "Delete",
    "Foreign",
    "LifecycleHints",
    "Prove",
    "Renew",
    "SubscriptionAction",
    "kept",
    "plan",
]


class ChangeReason(StrEnum):
    """Why something is done to a subscription; audited."""

    MISSING = "missing"
    HALF_LIFE = "half_life"
    REAUTHORIZATION_REQUIRED = "reauthorization_required"
    KEY_ROTATED = "key_rotated"
    KEY_NOT_VALID = "key_not_valid"
    """Its key is withdrawn, ended or unknown: the webhook takes all that it delivers for forged."""
    URL_CHANGED = "url_changed"
    REPEATED = "repeated"
    PROOF = "proof"


@dataclass(frozen=True, slots=True)
class Create:
    """Subscribe anew."""

    reason: ChangeReason


@dataclass(frozen=True, slots=True)
class Prove:
    """Have Graph validate what is wanted, by a subscription that delivers nothing; it is deleted at once."""

    reason: ChangeReason


@dataclass(frozen=True, slots=True)
class Renew:
    """PATCH a new expiry."""

    subscription_id: str
    reason: ChangeReason


@dataclass(frozen=True, slots=True)
class Delete:
    """Remove a subscription of ours."""

    subscription_id: str
    reason: ChangeReason


@dataclass(frozen=True, slots=True)
class Foreign:
    """Report a subscription that is not ours and stands where ours belongs; only people may resolve it."""

    subscription_id: str


Change = Create | Prove | Renew | Delete
"""What is asked of Graph."""

SubscriptionAction = Change | Foreign


@dataclass(frozen=True, slots=True)
class LifecycleHints:
    """What Graph's lifecycle events and answers said about subscriptions, by their ids.

    Attributes:
        reauthorize: Graph asks to have them reauthorised.
        removed: Graph says that they are gone, whatever its list still shows.
    """

    reauthorize: frozenset[str] = frozenset()
    removed: frozenset[str] = frozenset()


NO_WISHES = LifecycleHints()


def plan(
    seen: Sequence[ListedSubscription], desired: DesiredSubscription, now: datetime, wishes: LifecycleHints = NO_WISHES
) -> tuple[SubscriptionAction, ...]:
    """Decide what to do, in the order in which to do it; a change that fails ends the rest.

    Args:
        seen: what Graph lists for the tenant.
        desired: what there should be.
        now: the wall clock.
        wishes: what Graph said beside its list.
    """
    present = conflicting((each for each in seen if each.id not in wishes.removed), desired, now)
    ours = _ranked(present, desired)
    foreign = tuple(Foreign(each.id) for each in present if each not in ours)
    proofs = _deletions((each for each in seen if is_proof(each, desired.query.installation)), ChangeReason.PROOF)
    if not ours:
        return (*(foreign or (Create(ChangeReason.MISSING),)), *proofs)
    best, *extra = ours
    upkeep = (*foreign, *_renewal(best, desired, now, wishes), *_deletions(extra, ChangeReason.REPEATED), *proofs)
    # Beside another's subscription nothing could be created, and an old one is better than none.
    return upkeep if foreign else (*upkeep, *_replacement(best, desired))


def kept(
    seen: Iterable[ListedSubscription], desired: DesiredSubscription, now: datetime, wishes: LifecycleHints = NO_WISHES
) -> ListedSubscription | None:
    """The subscription of ours that the plan keeps, or replaces; None if there is none."""
    present = conflicting((each for each in seen if each.id not in wishes.removed), desired, now)
    return next(iter(_ranked(present, desired)), None)


def _ranked(present: Iterable[ListedSubscription], desired: DesiredSubscription) -> list[ListedSubscription]:
    """Ours among them, best first: as wanted, else with a valid key, else the longest-lived."""
    return sorted((each for each in present if is_ours(each, desired)), key=lambda s: _rank(s, desired), reverse=True)


def _rank(seen: ListedSubscription, desired: DesiredSubscription) -> tuple[bool, bool, float]:
    outdated = _outdated(seen, desired)
    expiry = seen.expires_at.timestamp() if seen.expires_at else 0.0
    return outdated is None, outdated is not ChangeReason.KEY_NOT_VALID, expiry


def _deletions(seen: Iterable[ListedSubscription], reason: ChangeReason) -> tuple[Delete, ...]:
    return tuple(Delete(each.id, reason) for each in seen)


def _replacement(present: ListedSubscription, desired: DesiredSubscription) -> Sequence[Change]:
    reason = _outdated(present, desired)
    return () if reason is None else (Prove(reason), Delete(present.id, reason), Create(reason))


def _outdated(seen: ListedSubscription, desired: DesiredSubscription) -> ChangeReason | None:
    kid, signing = NotificationQuery.of_url(seen.notification_url).kid, desired.query.kid
    if kid not in desired.valid_kids:
        return ChangeReason.KEY_NOT_VALID
    if kid != desired.active_kid and signing == desired.active_kid:
        return ChangeReason.KEY_ROTATED
    moved = not same_place(seen.notification_url, desired.notification_url)
    # Whether the list shows the lifecycle URL is not documented; absent says nothing.
    if seen.lifecycle_url is not None:
        moved |= not same_place(seen.lifecycle_url, desired.lifecycle_url)
    return ChangeReason.URL_CHANGED if moved else None


def _renewal(
    present: ListedSubscription, desired: DesiredSubscription, now: datetime, wishes: LifecycleHints
) -> Sequence[Change]:
    if present.id in wishes.reauthorize:
        return (Renew(present.id, ChangeReason.REAUTHORIZATION_REQUIRED),)
    if spent(present, desired, now) >= 0.5:  # noqa: PLR2004 - half life
        return (Renew(present.id, ChangeReason.HALF_LIFE),)
    return ()
