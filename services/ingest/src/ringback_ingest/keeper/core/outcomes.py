"""What became of a request about a subscription; data, so that one rule judges all of it."""

from dataclasses import dataclass
from datetime import datetime

__all__ = [
    "ChangeDone",
    "ChangeOutcome",
    "ChangeRefused",
    "ChangeUnanswered",
    "SubscriptionConflict",
    "SubscriptionGone",
]


@dataclass(frozen=True, slots=True)
class ChangeDone:
    """It was done; the expiry Graph confirmed, if its answer has one."""

    subscription_id: str
    expires_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class SubscriptionGone:
    """The subscription no longer exists."""


@dataclass(frozen=True, slots=True)
class SubscriptionConflict:
    """409: another subscription of the same resource and changeType exists; its id, if Graph's message has one."""

    existing_id: str | None


@dataclass(frozen=True, slots=True)
class ChangeRefused:
    """Graph said no; a bounded word that says how, e.g. `forbidden`, `auth_failed`, `validation`."""

    reason: str


@dataclass(frozen=True, slots=True)
class ChangeUnanswered:
    """It may or may not have been done, and is tried again after `retry_after` seconds.

    The reason is `transient`, `throttled`, or `certificate`, which is not likely to pass by itself.
    """

    reason: str
    retry_after: float = 0.0


ChangeOutcome = ChangeDone | SubscriptionGone | SubscriptionConflict | ChangeRefused | ChangeUnanswered
