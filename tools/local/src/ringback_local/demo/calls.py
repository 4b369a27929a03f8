"""Of every call that ended: stored, or why not. Pure."""

from collections.abc import Mapping
from collections.abc import Set as AbstractSet

from ringback_local.demo.judge import Expected, Key, Stored

__all__ = ["explained"]

_UNTOLD = (
    "{} were told of by no notification that was answered 2xx, for Graph had no subscription then, or nobody "
    "answered it: nobody asks for such calls yet (back-fill is not built)."
)
"""No more is known of a call without an accepted notification: a webhook that was away looks like no subscription."""


def explained(
    ordered: int, expected: Mapping[Key, Expected], stored: Mapping[Key, Stored], refused: AbstractSet[Key]
) -> list[str]:
    """Sentences for the report, the first with both figures, one for each kind of difference between them.

    Args:
        ordered: calls that were to end in the course of the day.
        expected: the simulator's ledger, by call; of the calls it made up for a forged notification, too.
        stored: the store's calls.
        refused: calls that stand in the dead letters.
    """
    forged = {key for key, call in expected.items() if call.planted_drops and not call.accepted}
    ended = expected.keys() - forged
    silent = {key for key in ended if not expected[key].accepted} - stored.keys()
    missing = ended - stored.keys() - silent
    kinds = {
        "{} had not ended when the day was cut short.": ordered - len(ended),
        _UNTOLD: len(silent),
        "{} are dead letters: `ringback dlq ls` says why.": len(missing & refused),
        "{} were told of and are neither stored nor dead letters: lost.": len(missing - refused),
        "{} more are in Graph alone: their only notification was forged on purpose, and dropped.": len(
            forged - stored.keys()
        ),
    }
    first = f"{len(ended):,} calls ended; {len(stored.keys() & ended):,} are stored."
    return [first, *(sentence.format(f"{count:,}") for sentence, count in kinds.items() if count)]
