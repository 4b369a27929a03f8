"""How many POSTs had something odd in them, and whether those with nothing else were answered. Pure."""

from collections import Counter

from ringback_faults.ledgers import Ledgers

__all__ = ["oddities_of"]


def oddities_of(ledgers: Ledgers) -> dict[str, float]:
    """The figures.

    `odd_posts` of all kinds, `odd_<kind>` of each that there was, by the sender's name for it; `odd_answered` of those
    with nothing genuine in them, and `odd_unanswered` the rest of them.
    """
    kinds = Counter(post.odd for post in ledgers.posts if post.odd)
    answered = sum(one.status is not None for one in ledgers.odd)
    return {
        "odd_posts": float(kinds.total()),
        **{f"odd_{kind}": float(count) for kind, count in kinds.items()},
        "odd_answered": float(answered),
        "odd_unanswered": float(len(ledgers.odd) - answered),
    }
