"""From the audit trail to what was decided about dead letters."""

from datetime import UTC, datetime

import msgspec
from ringback_common.outcomes import Reason, Received, Reject
from ringback_events.dead_letters import DECISIONS, DONE, letter_place

from ringback_sink.store.core.operations import moment, shortened
from ringback_sink.store.model.operations import Decision

__all__ = ["decisions_of"]


class _Entry(msgspec.Struct, frozen=True):
    """An audit entry as the store reads it."""

    actor: str
    action: str
    targets: list[str]
    reason: str
    outcome: str


_ENTRY = msgspec.json.Decoder(_Entry)


def decisions_of(received: Received) -> list[Decision] | Reject:
    """What an audit entry decides, nothing if it is about something else, or why it is no entry."""
    try:
        entry = _ENTRY.decode(received.value or b"")
    except msgspec.ValidationError:
        return Reject(Reason.SCHEMA_INVALID)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as unreadable:
        return Reject(Reason.UNDECODABLE, type(unreadable).__name__)
    if entry.action not in DECISIONS or entry.outcome != DONE:
        return []
    at = moment(received.timestamp_ms) or datetime.fromtimestamp(0, UTC)
    word, who, why = entry.action.rpartition(".")[2], shortened(entry.actor), shortened(entry.reason)
    places = [place for place in map(letter_place, entry.targets) if place is not None]
    return [Decision(*place, word, who, why, at) for place in places]
