"""One call as Graph holds it now, and what the simulator remembers of it for the reckoning."""

import re
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from ringback_graph_simulator.documents import Digest, Document
from ringback_graph_simulator.plans import Plan

__all__ = ["Call", "Installed", "canonical_id"]

_GUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)


def canonical_id(text: str) -> str:
    """A GUID in lower case; any other id as it is."""
    return text.lower() if _GUID.fullmatch(text) else text


@dataclass(frozen=True, slots=True)
class Installed:
    """A record served as it was given; `own_links`: its next links are replaced by the simulator's."""

    body: dict[str, Any]
    own_links: bool
    document: Document


@dataclass(slots=True)
class Call:
    """State of one call.

    Attributes:
        version: the newest, the one every page is served from.
        modified: when that version came, seconds since the epoch.
        absences: how many more GETs answer 404 in any case, as a replica that lags would.
        visible_at: GET answers 404 and LIST leaves the call out before this instant.
        removed: older than the retention, by order.
        served: digest of every version of which something was served.
        notified: items sent at least once.
        accepted: items answered 2xx, by the version held when their POST was sent.
        pending: items queued or being retried.
        planted_drops: accepted items with a forged clientState.
    """

    plan: Plan
    version: int
    modified: float
    visible_at: float
    tags: set[str]
    removed: bool = False
    absences: int = 0
    installed: Installed | None = None
    served: dict[int, Digest] = field(default_factory=dict[int, Digest])
    notified: int = 0
    accepted: Counter[int] = field(default_factory=Counter[int])
    pending: int = 0
    planted_drops: int = 0

    @property
    def key(self) -> tuple[str, str]:
        """Tenant and call id."""
        return self.plan.tenant_id, self.plan.call_id
