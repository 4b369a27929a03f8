"""I10: how soon a POST is answered, by the sender's clock. Pure.

With whatever it is answered: Graph waits 10 s at most, and drops an endpoint that lets it wait longer too often.
"""

from collections.abc import Iterator, Mapping, Sequence

from ringback_faults.ledgers import Ledgers, Post
from ringback_faults.row import Expect

__all__ = ["latency_figures", "quantile", "slow_answers"]

_PATIENCE = 3
_FIRST_DEADLINE, _LAST_DEADLINE = 3.0, 10.0
"""Seconds Graph waits for the first answer and for those of its repeats."""


def latency_figures(ledgers: Ledgers) -> Mapping[str, float]:
    """Milliseconds of p50 and p99 of accepted POSTs, and the shares of all POSTs beyond Graph's two deadlines."""
    waits = sorted(post.end - post.at for post in ledgers.posts if post.accepted and not post.lifecycle)
    answered = [post.end - post.at for post in ledgers.posts]
    count = max(1, len(answered))
    return {
        "ack_p50_ms": 1000 * quantile(waits, 0.5),
        "ack_p99_ms": 1000 * quantile(waits, 0.99),
        "share_over_3s": sum(wait > _FIRST_DEADLINE for wait in answered) / count,
        "share_over_10s": sum(wait > _LAST_DEADLINE for wait in answered) / count,
    }


def slow_answers(ledgers: Ledgers, expect: Expect) -> Iterator[str]:
    """A sentence if p99 is past three times its goal, one if too many answers came after Graph had given up on them.

    And one for each answer, be it 503, that came later than 3 s, unless the row may hold the webhook still and did so
    while that POST was under way; and for each POST that was not accepted where none may fail. The simulator, as Graph,
    cuts a first attempt off at 3 s, so a late answer is one to a repeat.
    """
    figures = latency_figures(ledgers)
    p99, late = figures["ack_p99_ms"], figures["share_over_10s"]
    if late > expect.share_over_10s:
        yield f"{late:.1%} of the POSTs were not answered within {_LAST_DEADLINE:.0f} s"
    if expect.ack_p99_ms is not None and p99 > _PATIENCE * expect.ack_p99_ms:
        yield f"p99 of the answers is {p99:.0f} ms, three times the goal is {_PATIENCE * expect.ack_p99_ms:.0f} ms"
    for post in ledgers.posts:
        if post.status and post.end - post.at > _FIRST_DEADLINE and not (expect.late_answers and _held(post, ledgers)):
            yield _late(post)
    if not expect.unavailable:
        yield from (_refusal(post) for post in ledgers.posts if not post.accepted)


def _held(post: Post, ledgers: Ledgers) -> bool:
    """Whether its webhook was frozen while it waited, or worked off what had come while it was."""
    frozen = (act for act in ledgers.acts if act.what == "freeze" and act.target == post.process)
    return any(act.at <= post.end and post.at <= act.end + _FIRST_DEADLINE for act in frozen)


def _late(post: Post) -> str:
    return f"a POST at {post.at:.3f} was answered {post.status} after {post.end - post.at:.1f} s"


def _refusal(post: Post) -> str:
    return f"a POST at {post.at:.3f} was answered {post.status or 'not at all'}"


def quantile(ordered: Sequence[float], share: float) -> float:
    """The value below which that share of sorted values lies; 0 of none."""
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0
