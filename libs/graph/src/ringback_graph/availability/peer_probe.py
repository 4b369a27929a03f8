"""Is Graph away, or only one tenant's share of it? The tenant and another one are asked at once.

In a quiet installation no other tenant may have been asked lately; a tenant that fills the partition it shares keeps
its neighbours from asking; and a process that was stopped finds all its own reads timed out (ADR 0025).
"""

import asyncio
import math
from collections.abc import Callable, Sequence
from typing import Protocol

from ringback_graph.availability.governor import Governor
from ringback_graph.tenants import Tenant

__all__ = ["PeerProbe", "Reach"]

_EVERY_SECONDS = 5.0
_PATIENCE_SECONDS = 5.0
"""The first page of a record comes within a second or two; the step that waits for it holds a slot."""


class Reach(Protocol):
    """Finds out whether Graph answers a tenant."""

    async def reachable(self, tenant: Tenant, call_id: str | None = None) -> bool | None:
        """Ask Graph for a call, or for one that does not exist; None if it cannot be asked. Never raises for that."""
        ...


class PeerProbe:
    """Asks Graph for an unanswered tenant and for another of the same Graph; for each every five seconds at most.

    Args:
        graph: asks it.
        tenants: all tenants.
        governor: pauses the tenant if only the other is answered.
    """

    def __init__(self, graph: Reach, tenants: Callable[[], Sequence[Tenant]], governor: Governor) -> None:
        self._graph, self._tenants, self._governor = graph, tenants, governor
        self._asking = asyncio.Lock()
        self._next: dict[str, float] = {}
        self._turn = 0

    async def check(self, tenant: Tenant, call_id: str) -> None:
        """Ask both and tell the governor; steps that come while it runs wait for the same answer."""
        async with self._asking:
            peers, clock = self._peers(tenant), self._governor.clock
            if not peers or clock.monotonic() < self._next.get(tenant.tenant_id, -math.inf):
                return
            self._turn += 1
            peer = peers[self._turn % len(peers)]
            itself, another = await asyncio.gather(self._answered(tenant, call_id), self._answered(peer, None))
            self._next[tenant.tenant_id] = clock.monotonic() + _EVERY_SECONDS
            if itself is not False:
                self._governor.reached(tenant.tenant_id)
            elif another:  # None, a peer that could not ask, proves nothing
                self._governor.unresponsive(tenant.tenant_id, call_id)

    def _peers(self, tenant: Tenant) -> list[Tenant]:
        return [
            each
            for each in self._tenants()
            if each.tenant_id != tenant.tenant_id
            and each.graph_url == tenant.graph_url
            and self._governor.why_paused(each.tenant_id) is None
        ]

    async def _answered(self, tenant: Tenant, call_id: str | None) -> bool | None:
        try:
            async with asyncio.timeout(_PATIENCE_SECONDS):
                return await self._graph.reachable(tenant, call_id)
        except TimeoutError:
            return False
