"""I15: who is not concerned by a fault is served while it lasts. Pure.

An act that concerns one tenant, or single calls, names them in its detail `concerns`: a tenant's id, or "calls".
Neighbours are items accepted while it lasts whose tenant is another one and whose call no fault of Graph's struck.
"""

from collections.abc import Iterator, Mapping

from ringback_faults.ledgers import Ledgers
from ringback_faults.oracle.index import Index, stored_at
from ringback_faults.oracle.latency import quantile
from ringback_faults.row import Expect

__all__ = ["CALLS", "neighbour_figures", "waiting_neighbours"]

CALLS = "calls"
_OK = 200


def neighbour_figures(ledgers: Ledgers, index: Index) -> Mapping[str, float]:
    """How many neighbours there were, and their p99 in seconds from the acceptance to the store; {} without one."""
    waits = sorted(_waits(ledgers, index))
    return {"neighbours": float(len(waits)), "neighbour_p99_seconds": quantile(waits, 0.99)} if waits else {}


def waiting_neighbours(ledgers: Ledgers, index: Index, expect: Expect) -> Iterator[str]:
    """A sentence if their p99 is above what the row allows."""
    p99 = neighbour_figures(ledgers, index).get("neighbour_p99_seconds", 0.0)
    if expect.neighbour_seconds is not None and p99 > expect.neighbour_seconds:
        yield f"p99 of the neighbours is {p99:.1f} s, {expect.neighbour_seconds:g} s are allowed"


def _waits(ledgers: Ledgers, index: Index) -> Iterator[float]:
    struck = (one for one in ledgers.requests if one.status != _OK or one.fault is not None)
    sick = {(one.tenant_id, one.call_id) for one in struck}
    spans = [(act.at, act.end, act.detail["concerns"]) for act in ledgers.acts if "concerns" in act.detail]
    for item, _, accepted in index.accepted:
        concerned = [tenant for at, end, tenant in spans if at <= accepted <= end]
        if concerned and item.key not in sick and item.key[0] not in concerned:
            yield max(0.0, stored_at(item, ledgers, index) - accepted)
