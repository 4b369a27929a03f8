"""How many POSTs had something odd in them, and whether each was answered as it has to be. Pure.

What holds nothing genuine and can be read is answered 202; 503 only where its key may still come: while an act `read
late` lasts a webhook does not know the key that Graph's subscriptions already have. What cannot be read to its end
may hold something genuine, whether its key is known or may come: 503, until it comes whole.
"""

from collections import Counter
from collections.abc import Sequence

from ringback_faults.ledgers import Ledgers, SentOdd

__all__ = ["READ_LATE", "oddities_of"]

READ_LATE = "read late"
_SPOILED = frozenset({"cut", "noJsonBeside"})
"""Of the sender's kinds, those that cannot be read to their end."""
_UNAVAILABLE = 503


def oddities_of(ledgers: Ledgers) -> dict[str, float]:
    """The figures.

    `odd_posts` of all kinds, `odd_<kind>` of each that there was, by the sender's name for it. Of those with nothing
    genuine in them `odd_answered` and `odd_unanswered` are how many got an answer and how many none, `odd_refused` how
    many were answered 503 while every key was known. Of those that cannot be read to their end `odd_spoiled_answered`
    got an answer, `odd_let_through` 2xx.
    """
    kinds = Counter(post.odd for post in ledgers.posts if post.odd)
    spoiled = [post for post in ledgers.posts if post.odd in _SPOILED]
    answered = sum(one.status is not None for one in ledgers.odd)
    return {
        "odd_posts": float(kinds.total()),
        **{f"odd_{kind}": float(count) for kind, count in kinds.items()},
        "odd_answered": float(answered),
        "odd_unanswered": float(len(ledgers.odd) - answered),
        "odd_refused": float(sum(one.status == _UNAVAILABLE for one in _of_known_keys(ledgers))),
        "odd_spoiled_answered": float(sum(post.status is not None for post in spoiled)),
        "odd_let_through": float(sum(post.accepted for post in spoiled)),
    }


def _of_known_keys(ledgers: Ledgers) -> Sequence[SentOdd]:
    late = [(act.at, act.end) for act in ledgers.acts if act.what == READ_LATE]
    return [one for one in ledgers.odd if not any(at <= one.at <= end for at, end in late)]
