"""Counters of the whole simulator, for `GET /control/state`."""

import os
from pathlib import Path
from typing import Any

from ringback_graph_simulator.graph import Graph

__all__ = ["state_view"]


def state_view(graph: Graph) -> dict[str, Any]:
    """Everything counted since the start."""
    tally, effects = graph.delivery.tally, graph.effects
    return {
        "calls": len(graph.world),
        "subscriptions": sum(1 for _ in graph.service.subscriptions),
        "items": {
            "queued": tally.queued,
            "accepted": tally.accepted,
            "pending": tally.pending,
            "givenUp": tally.given_up,
            "droppedByGraph": tally.dropped_by_graph,
            "planted": tally.planted,
        },
        "notified": tally.notified,
        "requests": {
            "total": effects.by_status.total(),
            "byStatus": {str(status): count for status, count in sorted(effects.by_status.items())},
            "insideRetryAfter": effects.inside_retry_after,
            "overBudget": dict(effects.over_budget),
        },
        "ledger": dict(graph.ledger.counts),
        "rssBytes": _resident_bytes(),
    }


def _resident_bytes() -> int:
    """Resident memory of this process, or 0 where /proc is not there to tell."""
    statm = Path("/proc/self/statm")
    return int(statm.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") if statm.exists() else 0
