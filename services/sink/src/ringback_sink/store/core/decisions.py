"""From the audit trail to what was decided about dead letters."""

from collections.abc import Iterable, Sequence
from dataclasses import astuple, dataclass
from datetime import UTC, datetime
from typing import Any

import msgspec
from ringback_common.outcomes import Reason, Received, Reject
from ringback_events.dead_letters import DECISIONS, DONE, letter_place

from ringback_sink.store.core.operations import moment

__all__ = ["Decision", "decisions_of", "newest_decisions"]

_LONGEST = 256
"""Characters kept of what an actor wrote."""


@dataclass(frozen=True, slots=True)
class Decision:
    """One row of `dead_letter_decision`, its columns in order."""

    topic: str
    partition: int
    offset: int
    decision: str
    decided_by: str
    why: str
    at: datetime

    def row(self) -> tuple[Any, ...]:
        """The values as parameters of the upsert."""
        return astuple(self)

    def letter(self) -> tuple[str, int, int]:
        """What one row is kept for."""
        return self.topic, self.partition, self.offset


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
    word, who, why = entry.action.rpartition(".")[2], _short(entry.actor), _short(entry.reason)
    places = [place for place in map(letter_place, entry.targets) if place is not None]
    return [Decision(*place, word, who, why, at) for place in places]


def newest_decisions(decisions: Iterable[Decision]) -> Sequence[Decision]:
    """One decision per letter, the newest, sorted by letter; of one moment the later in order."""
    newest: dict[tuple[str, int, int], Decision] = {}
    for decision in decisions:
        known = newest.get(decision.letter())
        if known is None or decision.at >= known.at:
            newest[decision.letter()] = decision
    return [newest[letter] for letter in sorted(newest)]


def _short(text: str) -> str:
    return text.replace("\x00", "\N{REPLACEMENT CHARACTER}")[:_LONGEST]
