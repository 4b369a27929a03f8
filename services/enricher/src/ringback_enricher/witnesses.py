"""Is Graph away, or only one tenant's share of it? The tenant and somebody else are asked at once.

In a quiet installation nobody else may have asked Graph lately; a tenant that fills the partition it shares keeps its
neighbours from asking; and a process that stood still finds all its own reads timed out. So both are asked, now.
"""

import asyncio
import math
from collections.abc import Callable, Sequence
from typing import Protocol

from ringback_common.clock import Clock
from ringback_graph.tenants import Tenant

from ringback_enricher.gate import TenantGate

__all__ = ["Reach", "Witnesses"]

_EVERY_SECONDS = 5.0
_PATIENCE_SECONDS = 5.0
"""The first page of a record comes within a second or two; who waits for the answer holds a slot meanwhile."""


class Reach(Protocol):
    """Who can tell whether Graph answers a tenant."""

    async def reachable(self, tenant: Tenant, call_id: str | None = None) -> bool | None:
        """Ask Graph for a call, or for one that nobody has; None if it cannot be asked. Never raises for that."""
        ...


class Witnesses:
    """Asks Graph for a silent tenant and for another of the same Graph; for each every five seconds at most."""

    def __init__(self, records: Reach, tenants: Callable[[], Sequence[Tenant]], gate: TenantGate, clock: Clock) -> None:
        self._records, self._tenants, self._gate, self._clock = records, tenants, gate, clock
        self._asking = asyncio.Lock()
        self._next: dict[str, float] = {}
        self._turn = 0

    async def hear(self, silent: Tenant, call_id: str) -> None:
        """Let the gate know if Graph answers somebody else but not this tenant; who comes meanwhile hears the same."""
        async with self._asking:
            others = self._others(silent)
            if not others or self._clock.monotonic() < self._next.get(silent.tenant_id, -math.inf):
                return
            self._turn += 1
            other = others[self._turn % len(others)]
            itself, another = await asyncio.gather(self._answered(silent, call_id), self._answered(other, None))
            self._next[silent.tenant_id] = self._clock.monotonic() + _EVERY_SECONDS
            if itself is not False:
                self._gate.heard(silent.tenant_id)
            elif another:  # one who could not ask proves nothing
                self._gate.silent(silent.tenant_id, call_id)

    def _others(self, silent: Tenant) -> list[Tenant]:
        paused = self._gate.paused()
        return [
            tenant
            for tenant in self._tenants()
            if tenant.tenant_id != silent.tenant_id
            and tenant.tenant_id not in paused
            and tenant.graph_url == silent.graph_url
        ]

    async def _answered(self, tenant: Tenant, call_id: str | None) -> bool | None:
        try:
            async with asyncio.timeout(_PATIENCE_SECONDS):
                return await self._records.reachable(tenant, call_id)
        except TimeoutError:
            return False
