"""How tenants' subscriptions fared by Graph's ledger, and how long Graph had no address to notify. Pure.

An act `rotate key` or `withdraw key` brought the key that its detail names; from `rotate key`'s end on it may sign, and
after `withdraw key` nothing else may. An act `mistype address` lasts from when the keeper has tried an address where
nobody validates until it is right again: what there was has to go on.
"""

from collections.abc import Iterable, Iterator, Sequence

from ringback_faults.ledgers import Act, Ledgers, Post, Subscribed

__all__ = ["subscriptions_of"]

_GONE = frozenset({"deleted", "removed", "expired"})
_UNAVAILABLE = 503


def subscriptions_of(ledgers: Ledgers) -> dict[str, float]:
    """The figures.

    `subscriptions_made` and `_deleted` are to all call records of a tenant, `proofs_made` are others,
    `validations_refused` endpoints that Graph could not validate. `unsubscribed_seconds` is the longest that a tenant
    had none. `signed_new` were made with the key of an act, `signed_early` before it might sign; `awaited_key` POSTs of
    these, with nothing odd in them, were answered 503. `unheard_seconds` is the longest from a withdrawal to the first
    item of a tenant that was accepted of its new subscription, `accepted_mistyped` how many items were accepted while
    an address was wrong.
    """
    whole = [one for one in ledgers.subscribed if one.whole]
    made = [one for one in ledgers.subscribed if one.event == "created"]
    new = [one for act in ledgers.acts for one in _signed(act, made)]
    theirs = {one.subscription for one in new}
    return {
        "subscriptions_made": float(sum(one.whole for one in made)),
        "subscriptions_deleted": float(sum(one.event == "deleted" for one in whole)),
        "proofs_made": float(sum(not one.whole for one in made)),
        "validations_refused": float(sum(one.event == "refused" for one in ledgers.subscribed)),
        "unsubscribed_seconds": max(_without(whole, ledgers.drained or ledgers.faulted), default=0.0),
        "signed_new": float(sum(one.whole for one in new)),
        "signed_early": float(sum(len(list(_early(act, made))) for act in ledgers.acts)),
        "awaited_key": float(
            sum(post.status == _UNAVAILABLE and post.subscription in theirs and not post.odd for post in ledgers.posts)
        ),
        "unheard_seconds": max((wait for act in ledgers.acts for wait in _unheard(act, ledgers)), default=0.0),
        "accepted_mistyped": float(sum(_accepted(act, ledgers.posts) for act in ledgers.acts)),
    }


def _without(whole: Sequence[Subscribed], end: float) -> Iterator[float]:
    """From the end of each subscription to the beginning of its tenant's next one, unless there was another."""
    live: dict[str, set[str]] = {}
    since: dict[str, float] = {}
    for one in whole:
        held = live.setdefault(one.tenant_id, set())
        if one.event in _GONE:
            held.discard(one.subscription)
            since.setdefault(one.tenant_id, one.at)
        elif one.subscription:
            held.add(one.subscription)
        if held and one.tenant_id in since:
            yield one.at - since.pop(one.tenant_id)
    yield from (end - begin for begin in since.values())


def _signed(act: Act, made: Iterable[Subscribed]) -> Iterator[Subscribed]:
    kid = act.detail.get("kid")
    return (one for one in made if kid and one.kid == kid)


def _early(act: Act, made: Iterable[Subscribed]) -> Iterator[Subscribed]:
    """Proofs as well: they carry the key to Graph."""
    return (one for one in _signed(act, made) if act.what == "rotate key" and one.at < act.end)


def _unheard(act: Act, ledgers: Ledgers) -> Iterator[float]:
    """Of each tenant; to the end of all work, if no later item of it was accepted."""
    if act.what != "withdraw key":
        return
    made = [one for one in ledgers.subscribed if one.event == "created" and one.whole]
    theirs = {one.subscription for one in _signed(act, made)}
    received = [(item.key[0], post.end) for post in ledgers.posts if post.accepted and post.subscription in theirs
             for item in post.items]  # fmt: skip
    for tenant in {key[0] for key in ledgers.expected}:
        first = min((end for name, end in received if name == tenant), default=ledgers.drained or ledgers.faulted)
        yield first - act.at


def _accepted(act: Act, posts: Iterable[Post]) -> int:
    if act.what != "mistype address":
        return 0
    return sum(len(post.items) for post in posts if post.accepted and act.at <= post.at <= act.end)
