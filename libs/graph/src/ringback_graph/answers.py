"""The results of a read, as data. Every field is technical (C0): they may be logged and counted as they are."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

__all__ = [
    "Answer",
    "AuthFailed",
    "Current",
    "Failed",
    "Forbidden",
    "Found",
    "Hostile",
    "Malformed",
    "NeedsBulk",
    "NotFound",
    "Refused",
    "TooLarge",
    "Unstable",
]


@dataclass(frozen=True, slots=True)
class AuthFailed:
    """No token, or Graph refuses the one the authority has just given."""

    code: str
    """OAuth's error word and Microsoft's number, e.g. `invalid_client:7000215`, or what the credential lacks."""


@dataclass(frozen=True, slots=True)
class Found:
    """One whole record of one version."""

    record: dict[str, Any]
    """Graph's JSON: every member and value of every page; only the next links are gone, and half a surrogate pair is
    U+FFFD."""
    version: int
    requests: int
    """Requests spent, those of abandoned attempts included."""
    started_at: datetime
    """When the first request of the attempt that succeeded was sent: it satisfies notifications received before."""
    byte_count: int = 0
    """Bytes of Graph's JSON, as `ReadLimits.byte_count` counts them."""

    def __repr__(self) -> str:
        return f"Found(version={self.version}, requests={self.requests})"


@dataclass(frozen=True, slots=True)
class Current:
    """The version Graph has of a record now."""

    version: int


@dataclass(frozen=True, slots=True)
class NotFound:
    """404: not generated yet, or older than 30 days."""


@dataclass(frozen=True, slots=True)
class Forbidden:
    """403: consent, licence or policy."""

    code: str


@dataclass(frozen=True, slots=True)
class Refused:
    """Another 4xx, or a redirect."""

    status: int
    code: str


@dataclass(frozen=True, slots=True)
class TooLarge:
    """A page, the record or the number of its pages passes the caps."""

    what: str


@dataclass(frozen=True, slots=True)
class Hostile:
    """A next link that must not be followed; nothing was sent there."""

    why: str


@dataclass(frozen=True, slots=True)
class Unstable:
    """The record changed during each of the attempts."""

    requests: int


@dataclass(frozen=True, slots=True)
class Malformed:
    """A 200 with JSON that is not what the metadata says."""

    where: str


@dataclass(frozen=True, slots=True)
class NeedsBulk:
    """A live read that would need more requests than a live record may have."""

    requests: int


Failed = NotFound | Forbidden | AuthFailed | Refused | TooLarge | Hostile | Unstable | Malformed | NeedsBulk
"""Why there is no record."""
Answer = Found | Failed
