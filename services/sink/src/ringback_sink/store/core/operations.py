"""From dead letters and status reports to the rows that operators look at."""

from collections.abc import Iterable, Mapping
from dataclasses import astuple, dataclass
from datetime import UTC, datetime
from typing import Any

import msgspec
from ringback_common.outcomes import Reason, Received, Reject
from ringback_events.keys import split_call_key

__all__ = ["Head", "Report", "head_of", "moment", "newest_reports", "report_of"]

_PREFIX = "ringback_dlq_"
_LONGEST = 256
"""Characters kept of a value that anybody may have written; a head is never refused, else it would breed another."""
_LONGEST_NUMBER = 18
"""Digits; fits 64 bits."""
_LAST_MS = 253_402_300_799_999
"""The last millisecond of the year 9999."""


@dataclass(frozen=True, slots=True)
class Head:
    """One row of `dead_letter`, its columns in order."""

    topic: str
    partition: int
    offset: int
    source_topic: str | None
    source_partition: int | None
    source_offset: int | None
    source_timestamp: datetime | None
    service: str | None
    reason: str | None
    error_class: str | None
    fingerprint: str | None
    attempts: int | None
    tenant_id: str | None
    call_id: str | None
    octets: int
    at: datetime

    def row(self) -> tuple[Any, ...]:
        """The values as parameters of the insert."""
        return astuple(self)


def head_of(letter: Received) -> Head:
    """The head of a dead letter: where it is, where it came from and why; never what it says. Total on any bytes."""
    told = {name: value for name, value in letter.headers if name.startswith(_PREFIX)}
    tenant_id, call_id = split_call_key(letter.key or b"")
    return Head(
        topic=letter.topic,
        partition=letter.partition,
        offset=letter.offset,
        source_topic=_text(told, "topic"),
        source_partition=_number(told, "partition", 2**31 - 1),
        source_offset=_number(told, "offset"),
        source_timestamp=moment(_number(told, "timestamp", _LAST_MS)),
        service=_text(told, "service"),
        reason=_text(told, "reason"),
        error_class=_text(told, "error_class"),
        fingerprint=_text(told, "fingerprint"),
        attempts=_number(told, "attempts", 2**31 - 1),
        tenant_id=_short(tenant_id),
        call_id=_short(call_id),
        octets=len(letter.value or b""),
        at=moment(letter.timestamp_ms) or datetime.fromtimestamp(0, UTC),
    )


def _short(value: str) -> str | None:
    return value.replace("\x00", "\N{REPLACEMENT CHARACTER}")[:_LONGEST] or None


def _text(told: Mapping[str, bytes | None], name: str) -> str | None:
    return _short((told.get(_PREFIX + name) or b"").decode(errors="replace"))


def _number(told: Mapping[str, bytes | None], name: str, highest: int = 2**63 - 1) -> int | None:
    digits = told.get(_PREFIX + name) or b""
    if not digits.isdigit() or len(digits) > _LONGEST_NUMBER:
        return None
    return int(digits) if int(digits) <= highest else None


def moment(timestamp_ms: int | None) -> datetime | None:
    """A record's timestamp, or None for one that no clock tells."""
    if timestamp_ms is None or not 0 <= timestamp_ms <= _LAST_MS:
        return None
    return datetime.fromtimestamp(timestamp_ms / 1000, UTC)


class Report(msgspec.Struct, rename="camel", frozen=True):
    """A status report as the store reads it."""

    process: str
    instance: str
    reported_at: datetime
    state: str
    detail: msgspec.Raw
    tenant_id: str | None = None

    def key(self) -> tuple[str, str, str]:
        """What one row is kept for."""
        return self.process, self.instance, self.tenant_id or ""

    def row(self) -> tuple[Any, ...]:
        """The values as parameters of the upsert."""
        return *self.key(), self.reported_at, self.state, bytes(self.detail).decode()


_REPORT = msgspec.json.Decoder(Report)


def report_of(received: Received) -> Report | Reject:
    """The report of a message, or why it is none."""
    try:
        report = _REPORT.decode(received.value or b"")
    except msgspec.ValidationError:
        return Reject(Reason.SCHEMA_INVALID)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as unreadable:
        return Reject(Reason.UNDECODABLE, type(unreadable).__name__)
    return report if report.reported_at.tzinfo is not None else Reject(Reason.SCHEMA_INVALID, "$.reportedAt")


def newest_reports(reports: Iterable[Report]) -> list[Report]:
    """One report per key, the newest, sorted by key."""
    newest: dict[tuple[str, str, str], Report] = {}
    for report in reports:
        known = newest.get(report.key())
        if known is None or report.reported_at > known.reported_at:
            newest[report.key()] = report
    return [newest[key] for key in sorted(newest)]
