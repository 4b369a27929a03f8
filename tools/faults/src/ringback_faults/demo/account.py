"""What became of every notification that was accepted and of every call that ended. Pure."""

from collections import Counter

from ringback_faults.ledgers import Item, Key, Ledgers
from ringback_faults.oracle.index import Index
from ringback_faults.oracle.items import is_refused
from ringback_faults.report import Verdict

__all__ = ["explained", "figures"]

_NOT_NOTIFIED = (
    "{} have no notification that was answered 2xx, for Graph had no subscription then, or the webhook did not answer: "
    "such calls are not asked for yet (back-fill is not built)."
)
"""No more is known of a call without an accepted notification: a webhook that is away and no subscription are alike."""


def figures(ledgers: Ledgers, index: Index, verdict: Verdict) -> dict[str, int]:
    """The eight figures of the report's last line, in its order.

    The first five count notifications that were answered 2xx: `accepted` is the sum of the four after it, and
    `dropped` are those that the simulator forged. The last three are what the oracle counted against I3, I4 and I13.
    """
    forged = len(_forged(ledgers))
    ends = Counter(_end(item, at, end, ledgers, index) for item, at, end in index.accepted)
    broken = verdict.anomalies
    return {
        "accepted": ends.total() + forged,
        "stored": ends["stored"],
        "dead_lettered": ends["dead_lettered"],
        "dropped": forged,
        "lost": ends["lost"],
        "duplicated": broken["I3"],
        "stale": broken["I4"],
        "cut": broken["I13"],
    }


def _end(item: Item, at: float, end: float, ledgers: Ledgers, index: Index) -> str:
    stored = ledgers.calls.get(item.key)
    if stored is not None and stored.version >= item.version:
        return "stored"
    return "dead_lettered" if is_refused(item, at, end, index) else "lost"


def _forged(ledgers: Ledgers) -> list[Key]:
    """The call of each forged notification that was answered 2xx."""
    items = (item for post in ledgers.posts if post.accepted for item in post.items)
    return [item.key for item in items if item.planted == "forgedClientState"]


def explained(ordered: int, ledgers: Ledgers, index: Index) -> list[str]:
    """Sentences about calls: how many ended and how many of them are stored, then one for each reason for a difference.

    Args:
        ordered: calls that were to end in the course of the row.
        ledgers: what happened; the simulator's holds the calls that it made up for a forged notification, too.
        index: the same, sorted.
    """
    notified, stored = {item.key for item, _, _ in index.accepted}, ledgers.calls.keys()
    forged = set(_forged(ledgers)) - notified
    ended = ledgers.expected.keys() - forged
    silent = ended - notified - stored
    missing = ended - stored - silent
    refused = missing & index.letters.keys()
    kinds = {
        "{} had not ended when the row was cut short.": ordered - len(ended),
        _NOT_NOTIFIED: len(silent),
        "{} are dead letters: `ringback dlq ls` says why.": len(refused),
        "{} were accepted and are neither stored nor dead letters: lost.": len(missing - refused),
        "{} more are in Graph alone: their only notification was forged on purpose, and dropped.": len(forged - stored),
    }
    first = f"{len(ended):,} calls ended; {len(stored & ended):,} are stored."
    return [first, *(sentence.format(f"{count:,}") for sentence, count in kinds.items() if count)]
