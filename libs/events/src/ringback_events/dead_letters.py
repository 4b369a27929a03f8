"""How a dead letter is named, and the actions of the audit trail that decide what becomes of one.

A dead letter cannot be changed or removed: a decision about it is written to `callrecords.restricted.audit.v1`, as an
entry with one of these actions whose targets are the letters' names.
"""

from typing import NamedTuple

from ringback_events.topics import INTERNAL_DEAD_LETTERS, RESTRICTED_DEAD_LETTERS

__all__ = ["DECISIONS", "DISCARD", "DONE", "RELEASE", "LetterPlace", "letter_place"]

RELEASE, DISCARD = "dead_letter.release", "dead_letter.discard"
DECISIONS = frozenset({RELEASE, DISCARD})
DONE = "done"
"""The outcome of an entry whose targets were dealt with; any other outcome decides nothing."""

_TOPICS = frozenset({INTERNAL_DEAD_LETTERS.name, RESTRICTED_DEAD_LETTERS.name})
_LONGEST_NUMBER = 18  # digits; fits 64 bits
_PARTITIONS = 2**31
"""Kafka numbers partitions in 32 bits."""


class LetterPlace(NamedTuple):
    """The position of a dead letter in Kafka; as text, `topic/partition/offset`, it is the letter's name.

    Attributes:
        topic: a topic of dead letters, without the installation's prefix.
        partition: of the topic.
        offset: in the partition.
    """

    topic: str
    partition: int
    offset: int

    def __str__(self) -> str:
        return f"{self.topic}/{self.partition}/{self.offset}"


def letter_place(name: str) -> LetterPlace | None:
    """The position that a name `topic/partition/offset` means, or None if it names no dead letter."""
    topic, _, rest = name.partition("/")
    partition, _, offset = rest.partition("/")
    if topic not in _TOPICS or not (_is_number(partition) and _is_number(offset)):
        return None
    return LetterPlace(topic, int(partition), int(offset)) if int(partition) < _PARTITIONS else None


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= _LONGEST_NUMBER
