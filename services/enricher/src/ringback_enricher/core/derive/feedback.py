"""The worst rating a user gave, and the text beside it."""

from collections.abc import Iterable
from typing import Any, NamedTuple

from ringback_enricher.core.derive.field_reader import members, text

__all__ = ["Feedback", "feedback_of", "worst_rating"]

_RANKS = {"bad": 0, "poor": 1, "fair": 2, "good": 3, "excellent": 4}
_UNRATED = frozenset({"notRated", "unknownFutureValue", "unknown"})


class Feedback(NamedTuple):
    """A user's rating and text about a session; None where not given."""

    rating: str | None
    text: str | None


_NONE = Feedback(None, None)


def worst_rating(ratings: Iterable[str]) -> str | None:
    """The worst of Graph's ratings; an unknown word counts only where there is no other."""
    given = [rating for rating in ratings if rating not in _UNRATED]
    return min(given, key=_rank, default=None)


def feedback_of(endpoints: Iterable[Any]) -> Feedback:
    """The feedback of one side: a session's endpoint, then its segments'. Graph puts `userFeedback` on any of them.

    The one of the worst rating, whole; without a rating the first that says anything.
    """
    blocks = [block for endpoint in endpoints if (block := members(endpoint).get("feedback"))]
    given = [found for block in blocks if (found := _feedback(block)) != _NONE]
    if not given:
        return _NONE
    rated = [found for found in given if found.rating is not None and found.rating not in _UNRATED]
    if rated:
        return min(rated, key=lambda found: _rank(found.rating or ""))
    return given[0]


def _feedback(block: Any) -> Feedback:
    given = members(block)
    return Feedback(text(given.get("rating")), text(given.get("text")))


def _rank(rating: str) -> tuple[int, str]:
    return _RANKS.get(rating, len(_RANKS)), rating
