"""A fetch request in hand: what it asks for, how often it was tried, and who asks."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from pydantic import ValidationError
from ringback_common.outcomes import Drop, MessageHeaders, Reason, Received, Reject
from ringback_events import topics
from ringback_events.fetch import FetchRequest
from ringback_events.header_names import ATTEMPT, KNOWN_VERSION, LAST_ATTEMPTS, LOOKS, REPLAY
from ringback_events.keys import call_key, canonical_id

__all__ = ["PendingFetch", "accept", "attempts_header"]

_LIVE = frozenset({"webhook", "eventhub"})
_FINAL_AT_ONCE = frozenset({"lookup", "replay", "canary"})
_BULK = frozenset({"reconcile", "backfill", "replay", "release"})
_KEPT_BY_GRAPH = timedelta(days=30)
_REASONS = {reason.value.encode(): reason for reason in Reason}
_LOOK = re.compile(rb"([a-z_]{1,32})=([0-9]{1,4})(?:,|\Z)")
_LONGEST_LOOKS = 512
_REPLACED = LAST_ATTEMPTS - {KNOWN_VERSION}
_LONGEST_VERSION = 19


@dataclass(frozen=True, slots=True)
class PendingFetch:
    """One fetch request, decoded; ids canonical.

    Attributes:
        received: the record as Kafka gave it.
        looks: how often it was deferred for each reason; neither a pause of its tenant nor the bulk lane counts.
        known_version: it was deferred to see whether Graph has a newer version than this one; else None.
    """

    received: Received
    tenant_id: str
    call_id: str
    source: str
    received_at: datetime
    min_version: int | None
    attempts: Mapping[Reason, int]
    known_version: int | None = None

    @property
    def is_live(self) -> bool:
        """Whether Graph announced it; only such a request may be spared a re-publication."""
        return self.source in _LIVE

    @property
    def is_canary(self) -> bool:
        """Whether it only proves that the path works."""
        return self.source == "canary"

    @property
    def is_bulk(self) -> bool:
        """Whether live requests go first."""
        return self.received.topic == topics.FETCH_BULK.name or self.source in _BULK

    @property
    def waits_for_graph(self) -> bool:
        """Whether a 404 may mean "not yet": a lookup or a replay is of a call that was there."""
        return self.source not in _FINAL_AT_ONCE

    def retry_headers(self) -> MessageHeaders:
        """Its headers without those of the last deferral and of the last hop's trace; the producer adds this one's."""
        return tuple([(n, v) for n, v in self.received.headers if v is not None and n not in _REPLACED])


def accept(received: Received, now: datetime) -> PendingFetch | Drop | Reject:
    """Decode one record of a fetch lane.

    Rejects what is no JSON (undecodable), what breaks the contract or lies under another call's key (schema_invalid);
    drops what is older than Graph keeps records.
    """
    if received.value is None:
        return Reject(Reason.UNDECODABLE, "Tombstone")
    try:
        asked = FetchRequest.model_validate_json(received.value)
    except ValidationError as invalid:
        return _refused(invalid)
    if received.key != call_key(asked.tenant_id, asked.call_id):
        return Reject(Reason.SCHEMA_INVALID, "key")
    if now - asked.received_at > _KEPT_BY_GRAPH:
        return Drop(Reason.TOO_OLD)
    headers = dict(received.headers)
    return PendingFetch(
        received=received,
        tenant_id=canonical_id(asked.tenant_id),
        call_id=canonical_id(asked.call_id),
        source=_source(asked.source, headers.get(REPLAY)),
        received_at=asked.received_at,
        min_version=asked.min_version,
        attempts=_attempts(headers.get(LOOKS)) if headers.get(ATTEMPT) else {},
        known_version=_version(headers.get(KNOWN_VERSION)) if headers.get(ATTEMPT) else None,
    )


def _refused(invalid: ValidationError) -> Reject:
    first = invalid.errors(include_input=False, include_url=False, include_context=False)[0]
    if first["type"] == "json_invalid":
        return Reject(Reason.UNDECODABLE, "json_invalid")
    # The member's name is the contract's or the sender's: only the contract's may be logged.
    name = str(first["loc"][0]) if first["loc"] and first["type"] != "extra_forbidden" else ""
    return Reject(Reason.SCHEMA_INVALID, f"{name}:{first['type']}")


def _source(named: str, replay: bytes | None) -> str:
    """Who asks now: a released dead letter has the bytes of the notification it was, and a header that marks it."""
    return "release" if replay == b"true" and named in _LIVE else named


def _version(value: bytes | None) -> int | None:
    """Read `ringback_known_version`; what is no version asks for the whole record."""
    return int(value) if value and value.isdigit() and len(value) <= _LONGEST_VERSION else None


def attempts_header(attempts: Mapping[Reason, int]) -> bytes:
    """The value of `ringback_looks`."""
    return ",".join(f"{reason.value}={times}" for reason, times in attempts.items()).encode()


def _attempts(value: bytes | None) -> dict[Reason, int]:
    """Read `ringback_looks`; the header is untrusted, and what cannot be read counts as no attempt."""
    if value is None or len(value) > _LONGEST_LOOKS:
        return {}
    return {_REASONS[name]: int(times) for name, times in _LOOK.findall(value) if name in _REASONS}
