"""I15 beside another installation: whatever is done to that one, this one serves its calls as ever. Pure.

An act `calm` is a time in which nothing was done, an act `torture` one in which the other installation was tortured.
Both share a broker and this machine, and no more than that may be felt: no group of this one changes hands, and its
items are stored nearly as soon as before.
"""

from collections.abc import Iterator, Mapping, Sequence

from ringback_faults.contract import GROUPS
from ringback_faults.ledgers import Ledgers
from ringback_faults.oracle.behind import CALM
from ringback_faults.oracle.index import Index, stored_at
from ringback_faults.oracle.latency import quantile

__all__ = ["CALM", "TORTURE", "after_resets_of", "beside_figures", "slowed_down"]

TORTURE = "torture"
_TIMES_ALLOWED = 2.0
"""Of p95 in the calm, for p95 while the other one is tortured."""
_P99_ALLOWED = 1.5
"""Seconds; twice the 0.59 to 0.79 of three runs on two busy cores, in which p95 was 1.3 to 1.4 times its baseline."""
_SHARES = {"p50": 0.5, "p95": 0.95, "p99": 0.99}
_NOT_FOUND = 404


def beside_figures(ledgers: Ledgers, index: Index) -> Mapping[str, float]:
    """Items in the calm and in the torture, quantiles of their seconds, generations of the groups; {} without one."""
    if not any(act.what == TORTURE for act in ledgers.acts):
        return {}
    waits = {what: _waits(what, ledgers, index) for what in (CALM, TORTURE)}
    counts = {f"items_{what}": float(len(found)) for what, found in waits.items()}
    quantiles = {
        f"{name}_{what}": quantile(found, share) for what, found in waits.items() for name, share in _SHARES.items()
    }
    return {**counts, **quantiles, "own_generations": float(_generations(ledgers))}


def after_resets_of(ledgers: Ledgers, index: Index) -> Mapping[str, float]:
    """`items_after_resets`: accepted after the last offsets of the other one were set back; {} without a torture."""
    tortures = [act for act in ledgers.acts if act.what == TORTURE]
    accepted = [at for _, _, at in index.accepted]
    after = (at for act in tortures for at in accepted if float(act.detail.get("last_reset", "inf")) < at <= act.end)
    return {"items_after_resets": float(sum(1 for _ in after))} if tortures else {}


def slowed_down(ledgers: Ledgers, index: Index) -> Iterator[str]:
    """A sentence for each quantile above what it may be, one where there were no items, one for groups that changed."""
    figures = beside_figures(ledgers, index)
    if not figures:
        return
    if not (figures[f"items_{CALM}"] and figures[f"items_{TORTURE}"]):
        yield "nothing was accepted in the calm, or while the installation beside was tortured"
    for name, allowed in {"p95": _TIMES_ALLOWED * figures[f"p95_{CALM}"], "p99": _P99_ALLOWED}.items():
        if (found := figures[f"{name}_{TORTURE}"]) > allowed:
            yield f"{name} beside the tortured installation is {found:.2f} s, {allowed:.2f} s may be"
    if figures["own_generations"]:
        yield f"groups changed hands {figures['own_generations']:.0f} times, though nothing was done to their members"


def _generations(ledgers: Ledgers) -> int:
    """Of the groups without a prefix, while the other installation was tortured."""
    spans = [(act.at, act.end) for act in ledgers.acts if act.what == TORTURE]
    meanwhile = (one for one in ledgers.generations if any(at <= one.at <= end for at, end in spans))
    return len({(one.group, one.generation) for one in meanwhile if one.group in GROUPS})


def _waits(what: str, ledgers: Ledgers, index: Index) -> Sequence[float]:
    """Seconds from acceptance to store of each item of that time, in ascending order.

    What Graph did not know at first has to wait for its tier in any case.
    """
    spans = [(act.at, act.end) for act in ledgers.acts if act.what == what]
    unknown = {(one.tenant_id, one.call_id) for one in ledgers.requests if one.status == _NOT_FOUND}
    return sorted(
        max(0.0, stored_at(item, ledgers, index) - accepted)
        for item, _, accepted in index.accepted
        if item.key not in unknown and any(at <= accepted <= end for at, end in spans)
    )
