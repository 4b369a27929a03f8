"""Dead letters as an operator selects them: by their heads, never by what they say."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from ringback_common.outcomes import Received
from ringback_events.dead_letters import LetterPlace
from ringback_events.header_names import DEAD_LETTER_PREFIX as PREFIX
from ringback_events.keys import canonical_id, split_call_key

__all__ = ["Filter", "Letter", "header_value", "letter_of", "undecided"]

_NUMBERS = frozenset(PREFIX + name for name in ("partition", "offset", "attempts"))
_TIME, _DIGITS = PREFIX + "timestamp", 13
"""Epoch milliseconds; with more digits it is no time of this age."""
_LARGEST = 19
"""Digits of the greatest offset; what has more is no number of Kafka's, and Python refuses one of thousands."""


@dataclass(frozen=True, slots=True)
class Letter:
    """The head of a dead letter; empty where it does not say.

    Attributes:
        place: where it lies.
        at: when the broker took it, UTC.
        source: the topic it was refused from, by the contract's name.
    """

    place: LetterPlace
    at: datetime
    source: str
    reason: str
    fingerprint: str
    tenant_id: str
    call_id: str


def letter_of(received: Received) -> Letter:
    """The head of a dead letter; total on any bytes."""
    reported = {name.removeprefix(PREFIX): value for name, value in received.headers if name.startswith(PREFIX)}
    tenant_id, call_id = split_call_key(received.key or b"")
    return Letter(
        place=LetterPlace(received.topic, received.partition, received.offset),
        at=datetime.fromtimestamp(received.timestamp_ms / 1000, UTC),
        source=_text(reported, "topic"),
        reason=_text(reported, "reason"),
        fingerprint=_text(reported, "fingerprint"),
        tenant_id=tenant_id,
        call_id=call_id,
    )


@dataclass(frozen=True, slots=True)
class Filter:
    """What an operator asks for; everything that is given must hold.

    Attributes:
        places: these letters only; empty for all.
        since: the broker took it at this moment or later.
        until: the broker took it before this moment.
    """

    places: frozenset[LetterPlace] = frozenset()
    reason: str | None = None
    fingerprint: str | None = None
    source: str | None = None
    tenant: str | None = None
    call: str | None = None
    since: datetime | None = None
    until: datetime | None = None

    @property
    def is_empty(self) -> bool:
        """Whether it lets every letter through."""
        return self == Filter()

    def admits(self, letter: Letter) -> bool:
        """Whether a letter is asked for."""
        return (
            (not self.places or letter.place in self.places)
            and self.reason in {None, letter.reason}
            and self.fingerprint in {None, letter.fingerprint}
            and self.source in {None, letter.source}
            and (self.tenant is None or canonical_id(self.tenant) == letter.tenant_id)
            and (self.call is None or canonical_id(self.call) == letter.call_id)
            and (self.since is None or letter.at >= self.since)
            and (self.until is None or letter.at < self.until)
        )


def undecided(letter: Letter, decided: Mapping[LetterPlace, datetime]) -> bool:
    """Whether no decision is younger than the letter; an older decision is about a topic that was made anew."""
    at = decided.get(letter.place)
    return at is None or at < letter.at


def header_value(name: str, value: str) -> str | int | datetime:
    """A header of a dead letter as what it is: a number, a time, or text; one that is not ours is text."""
    if not value.isascii() or not value.isdigit():
        return value
    if name in _NUMBERS:
        return int(value) if len(value) <= _LARGEST else value
    return datetime.fromtimestamp(int(value) / 1000, UTC) if name == _TIME and len(value) <= _DIGITS else value


def _text(reported: Mapping[str, bytes | None], name: str) -> str:
    return (reported.get(name) or b"").decode(errors="replace")
