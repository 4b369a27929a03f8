"""From dead letters and status reports to the rows that operators look at."""

from collections.abc import Mapping
from datetime import UTC, datetime

import msgspec
from ringback_common.outcomes import Reason, Received, Reject
from ringback_events.header_names import DEAD_LETTER_PREFIX as _PREFIX
from ringback_events.keys import split_call_key

from ringback_sink.store.model.operations import Head, Report

__all__ = ["head_of", "moment", "report_of", "shortened"]

_LONGEST = 256
"""Characters kept of a value that anybody may have written: a dead letter that is refused would make another one."""
_LONGEST_NUMBER = 18
"""Digits; fits 64 bits."""
_LAST_MS = 253_402_300_799_999
"""The last millisecond of the year 9999."""


def head_of(letter: Received) -> Head:
    """The head of a dead letter: where it is, where it came from and why; never what it says. Total on any bytes."""
    headers = {name: value for name, value in letter.headers if name.startswith(_PREFIX)}
    tenant_id, call_id = split_call_key(letter.key or b"")
    return Head(
        topic=letter.topic,
        partition=letter.partition,
        offset=letter.offset,
        source_topic=_text(headers, "topic"),
        source_partition=_number(headers, "partition", 2**31 - 1),
        source_offset=_number(headers, "offset"),
        source_timestamp=moment(_number(headers, "timestamp", _LAST_MS)),
        service=_text(headers, "service"),
        reason=_text(headers, "reason"),
        error_class=_text(headers, "error_class"),
        fingerprint=_text(headers, "fingerprint"),
        attempts=_number(headers, "attempts", 2**31 - 1),
        tenant_id=shortened(tenant_id) or None,
        call_id=shortened(call_id) or None,
        octets=len(letter.value or b""),
        at=moment(letter.timestamp_ms) or datetime.fromtimestamp(0, UTC),
    )


def shortened(value: str) -> str:
    """A text that anybody may have written, without U+0000 and cut off, so that no engine refuses it."""
    return value.replace("\x00", "\N{REPLACEMENT CHARACTER}")[:_LONGEST]


def _text(headers: Mapping[str, bytes | None], name: str) -> str | None:
    return shortened((headers.get(_PREFIX + name) or b"").decode(errors="replace")) or None


def _number(headers: Mapping[str, bytes | None], name: str, highest: int = 2**63 - 1) -> int | None:
    digits = headers.get(_PREFIX + name) or b""
    if not digits.isdigit() or len(digits) > _LONGEST_NUMBER:
        return None
    return int(digits) if int(digits) <= highest else None


def moment(timestamp_ms: int | None) -> datetime | None:
    """A record's timestamp, or None for one outside the years 1970 to 9999."""
    if timestamp_ms is None or not 0 <= timestamp_ms <= _LAST_MS:
        return None
    return datetime.fromtimestamp(timestamp_ms / 1000, UTC)


class _Report(msgspec.Struct, rename="camel", frozen=True):
    """A status report as it is on the wire."""

    process: str
    instance: str
    reported_at: datetime
    state: str
    detail: msgspec.Raw
    tenant_id: str | None = None


_REPORT = msgspec.json.Decoder(_Report)


def report_of(received: Received) -> Report | Reject:
    """The report of a message, or why it is none."""
    try:
        report = _REPORT.decode(received.value or b"")
        detail = bytes(report.detail).decode()
    except msgspec.ValidationError:
        return Reject(Reason.SCHEMA_INVALID)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as unreadable:
        return Reject(Reason.UNDECODABLE, type(unreadable).__name__)
    if report.reported_at.tzinfo is None:
        return Reject(Reason.SCHEMA_INVALID, "$.reportedAt")
    return Report(report.process, report.instance, report.tenant_id or "", report.reported_at, report.state, detail)
