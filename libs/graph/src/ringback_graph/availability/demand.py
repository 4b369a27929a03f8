"""How much a process asks of the app's limit: the measure by which the limit is shared. Pure: no clock."""

import math
from collections import Counter, deque
from dataclasses import dataclass, field

from ringback_graph.availability.limits import WINDOW_SECONDS

__all__ = ["Demand"]

_SLOT = 5.0
"""Seconds; what was used is counted in slots, of which the last five hold a window."""
_HEADROOM = 1.25
"""So that one that is served without waiting may ask for more than it used."""
_GRANTED = 0.96
"""A bucket grants so much of a limit evenly."""


@dataclass(slots=True)
class Demand:
    """Counts what each tenant used, and which had to wait, in the last window.

    A tenant that waited would use the whole of its own limit, however small the app's share is now; one that did not
    would use little more than it did. So what a process asks for does not follow from what it was given.
    """

    _slots: deque[tuple[int, Counter[str]]] = field(default_factory=deque[tuple[int, Counter[str]]])
    _waited: dict[str, float] = field(default_factory=dict[str, float])

    def used(self, tenant_id: str, now: float) -> None:
        """Count a request that passes."""
        slot = int(now // _SLOT)
        if not self._slots or self._slots[-1][0] != slot:
            self._slots.append((slot, Counter()))
            self._drop(slot)
        self._slots[-1][1][tenant_id] += 1

    def waited(self, tenant_id: str, now: float) -> None:
        """Note that a request of the tenant has to wait for the app's limit or the tenant's."""
        self._waited[tenant_id] = now

    def total(self, limits: dict[str, float], now: float) -> int:
        """Requests in a window that this process asks for.

        Args:
            limits: this process' part of each tenant's limit, requests in a window.
            now: monotonic seconds.
        """
        self._drop(int(now // _SLOT))
        self._waited = {tenant: at for tenant, at in self._waited.items() if now - at < WINDOW_SECONDS}
        used = Counter[str]()
        for _, counts in self._slots:
            used.update(counts)
        asked = {tenant: limits[tenant] * _GRANTED for tenant in self._waited}
        served = {tenant: count * _HEADROOM for tenant, count in used.items() if tenant not in asked}
        return math.ceil((sum(asked.values()) + sum(served.values())) / _GRANTED)

    def _drop(self, slot: int) -> None:
        while self._slots and self._slots[0][0] < slot - WINDOW_SECONDS / _SLOT:
            self._slots.popleft()
