"""The worst rating somebody gave."""

from collections.abc import Iterable

__all__ = ["worst_rating"]

_RANKS = {"bad": 0, "poor": 1, "fair": 2, "good": 3, "excellent": 4}
_UNRATED = frozenset({"notRated", "unknownFutureValue", "unknown"})


def worst_rating(ratings: Iterable[str]) -> str | None:
    """The worst of Graph's ratings; a member nobody knows yet counts only where there is no other."""
    given = [rating for rating in ratings if rating not in _UNRATED]
    return min(given, key=lambda rating: (_RANKS.get(rating, len(_RANKS)), rating), default=None)
