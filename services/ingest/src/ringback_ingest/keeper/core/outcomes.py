"""What Graph made of a request about a subscription; data, for only what may pass by itself is an exception."""

from dataclasses import dataclass
from datetime import datetime

__all__ = ["Conflict", "Done", "Gone", "Outcome", "Refused"]


@dataclass(frozen=True, slots=True)
class Done:
    """It was done; the expiry Graph confirmed, if it told one."""

    subscription_id: str
    expires_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Gone:
    """The subscription no longer exists."""


@dataclass(frozen=True, slots=True)
class Conflict:
    """Another subscription of the same resource stands in the way; its id, if Graph told it."""

    existing_id: str | None


@dataclass(frozen=True, slots=True)
class Refused:
    """Graph said no; a bounded word that says how, e.g. `forbidden`, `auth_failed`, `validation`."""

    reason: str


Outcome = Done | Gone | Conflict | Refused
