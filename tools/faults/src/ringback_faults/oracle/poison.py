"""I6: the dead letters are what was planted, byte for byte, with all their headers, and nothing else. Pure."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise

from ringback_faults.ledgers import Act, Ledgers, TopicRecord
from ringback_faults.oracle.index import ASIDES, DEAD_LETTERS, Index, Place, origin_of, place_of, reason_of

__all__ = ["HEADERS", "Wanted", "garbled_letters", "missing_letters", "surplus_letters"]

Wanted = int | tuple[int, int]
"""How many dead letters: exactly, or from and to."""

_PREFIX = "ringback_dlq_"
HEADERS = tuple(
    _PREFIX + name
    for name in (
        "topic", "partition", "offset", "timestamp", "service", "reason", "error_class", "fingerprint", "attempts",
    )
)  # fmt: skip
"""What every dead letter tells."""
_INTERRUPTING = frozenset({"kill", "freeze", "point"})
_NEVER_KEPT = frozenset({"traceparent"})
"""Of the hop, not of the record: a dead letter has that of its own."""


def missing_letters(ledgers: Ledgers, index: Index, expected: Mapping[str, Wanted]) -> Iterator[str]:
    """A sentence for each planted poison without its dead letter, and for each reason with too few of them."""
    moved = _moved(ledgers)
    for place, reason in ledgers.planted.items():
        stood = (place, *moved.get(place, ()))
        found = {reason_of(letter) for where in stood for letter in index.letters_of.get(where, ())}
        if reason and reason not in found:
            yield f"poison at {place} is not among the dead letters as {reason}, but as {sorted(found) or 'nothing'}"
    counts = _counts(ledgers, index)
    for reason, wanted in expected.items():
        least, _ = _range(wanted)
        if counts[reason] < least:
            yield f"{counts[reason]} dead letters for {reason}, {least} were planted"


def surplus_letters(ledgers: Ledgers, index: Index, expected: Mapping[str, Wanted]) -> Iterator[str]:
    """A sentence for each dead letter beyond the planted ones: something healthy was refused."""
    for reason, count in _counts(ledgers, index).items():
        _, most = _range(expected.get(reason, 0))
        if count > most:
            yield f"{count} dead letters for {reason}, {most} were planted"
    for place, letters in index.letters_of.items():
        for before, again in pairwise(letters):
            if not any(_came_between(act, before.at, again.at) for act in ledgers.acts):
                yield f"{place} was dead-lettered at {before.at:.3f} and again at {again.at:.3f}"


def _came_between(act: Act, before: float, again: float) -> bool:
    """Whether a process may have been ended, or held still, between its letter and its commit."""
    return act.what in _INTERRUPTING and act.at <= again and act.end >= before


def garbled_letters(ledgers: Ledgers) -> Iterator[str]:
    """A sentence for each dead letter that is not its record: value, key and headers, with all of Ringback's own."""
    originals: dict[Place, TopicRecord] = {
        (record.topic, record.partition, record.offset): record for record in ledgers.records
    }
    for letter in ledgers.records:
        if letter.topic in DEAD_LETTERS:
            yield from _garbled(letter, originals)


def _garbled(letter: TopicRecord, originals: Mapping[Place, TopicRecord]) -> Iterator[str]:
    place = letter.place
    lacking = [name for name in HEADERS if name not in letter.headers]
    if lacking:
        yield f"{place} lacks {', '.join(lacking)}"
    origin = origin_of(letter)
    original = originals.get(origin) if origin is not None else None
    if original is None:
        yield f"{place} says it is of {origin}, where nothing stands"
        return
    if (letter.digest, letter.raw_key or b"") != (original.digest, original.raw_key or b""):
        yield f"{place} has not the bytes of {origin}"
    kept = {name: value for name, value in original.headers.items() if name not in _NEVER_KEPT}
    if any(letter.headers.get(name) != value for name, value in kept.items() if not name.startswith(_PREFIX)):
        yield f"{place} has not the headers of {origin}"
    if letter.headers.get(_PREFIX + "timestamp") != str(round(original.at * 1000)).encode():
        yield f"{place} has not the time of {origin}"


def _range(wanted: Wanted) -> tuple[int, int]:
    return (wanted, wanted) if isinstance(wanted, int) else wanted


def _moved(ledgers: Ledgers) -> Mapping[Place, Sequence[Place]]:
    """The copies of each planted poison on the lanes for what exceeds a tenant's share: moved unread, byte for byte."""
    copies: defaultdict[tuple[bytes | None, bytes | None], list[Place]] = defaultdict(list)
    for record in ledgers.records:
        if record.topic in ASIDES:
            copies[record.raw_key, record.digest].append(place_of(record))
    planted = [record for record in ledgers.records if place_of(record) in ledgers.planted]
    return {place_of(one): copies.get((one.raw_key, one.digest), ()) for one in planted}


def _counts(ledgers: Ledgers, index: Index) -> Counter[str]:
    """Reason → how many calls have such a dead letter (records, where the key names none), planted poison left out."""
    planted = dict(ledgers.planted)
    for place, copies in _moved(ledgers).items():
        planted |= dict.fromkeys(copies, planted[place])
    seen = {
        (reason_of(letter), letter.key if letter.key and letter.key[1] else origin)
        for origin, letters in index.letters_of.items()
        for letter in letters
        if planted.get(origin, "") != reason_of(letter)
    }
    return Counter(reason for reason, _ in seen)
