"""What a step may answer, and the records it reads and writes: plain values, importable by every `core`.

A step never raises for bad data. It returns one of three outcomes; the stream runtime turns an outcome into
produces, a dead letter or nothing, and only then lets the offset be committed.
"""

from dataclasses import dataclass, field
from enum import StrEnum

__all__ = ["Accounting", "Drop", "Emit", "Message", "MessageHeaders", "Outcome", "Reason", "Received", "Reject"]

MessageHeaders = tuple[tuple[str, bytes], ...]


@dataclass(frozen=True, slots=True)
class Received:
    """One record as it came from Kafka; `topic` is the contract's name, without the installation's prefix."""

    topic: str
    partition: int
    offset: int
    timestamp_ms: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes | None], ...] = ()


@dataclass(frozen=True, slots=True)
class Message:
    """One record to be produced. The topic's contract says how `key` becomes a partition; steps never choose one."""

    topic: str
    key: bytes
    value: bytes | None
    headers: MessageHeaders = ()


class Accounting(StrEnum):
    """How an emitting step accounts for the record it was given."""

    SATISFIED = "satisfied"
    DEFERRED = "deferred"
    """It went to a retry tier or to the bulk lane and will come again."""


class Reason(StrEnum):
    """Why a record was dropped, rejected or deferred. Bounded: metric labels and dead-letter headers are made of it."""

    UNDECODABLE = "undecodable"
    WRONG_VERSION = "wrong_version"
    SCHEMA_INVALID = "schema_invalid"
    TOO_OLD = "too_old"
    UPSTREAM_ERROR = "upstream_error"
    THROTTLED = "throttled"
    NOT_FOUND = "not_found"
    FORBIDDEN = "forbidden"
    REFUSED = "refused"
    TOO_LARGE = "too_large"
    HOSTILE_LINK = "hostile_link"
    MALFORMED_RECORD = "malformed_record"
    UNKNOWN_TENANT = "unknown_tenant"
    TENANT_PAUSED = "tenant_paused"
    OVER_SHARE = "over_share"
    SLOW = "slow"
    VERSION_BEHIND = "version_behind"
    VERSION_UNCHANGED = "version_unchanged"
    VERSION_UNSTABLE = "version_unstable"
    SESSIONS_MISSING = "sessions_missing"
    MOVED_TO_BULK = "moved_to_bulk"
    STORE_REFUSED = "store_refused"
    CANARY = "canary"


@dataclass(frozen=True, slots=True)
class Emit:
    """Produce `stages` in order, each acked as a whole before the next begins; then the record is finished."""

    stages: tuple[tuple[Message, ...], ...] = ()
    accounting: Accounting = Accounting.SATISFIED
    reason: Reason | None = None
    """Why it was deferred, if it was."""


@dataclass(frozen=True, slots=True)
class Drop:
    """Legal but not wanted: commit, and count the reason."""

    reason: Reason


@dataclass(frozen=True, slots=True)
class Reject:
    """Cannot be processed: the original bytes go to the dead letters before the offset is committed."""

    reason: Reason
    error_class: str = ""
    """Name of an exception class or a field path; never a message, which may quote data."""
    facts: MessageHeaders = field(default=())
    """Further headers of the dead letter, C0 and C1 only."""


Outcome = Emit | Drop | Reject
