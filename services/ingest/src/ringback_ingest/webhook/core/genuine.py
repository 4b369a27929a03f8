"""Whether a presented clientState is one of ours, as of a moment."""

from datetime import datetime
from functools import lru_cache

from ringback_ingest.client_state import KeyRing, matches
from ringback_ingest.webhook.core.notifications import Genuine

__all__ = ["genuine_at"]

_TENANTS = 4096
"""Computed values kept; a forger who invents tenants only costs the others the 2 us it takes to compute one again."""


def genuine_at(ring: KeyRing, now: datetime) -> Genuine:
    """The check against all keys valid at `now`; make a new one when the file changes or a key ends."""

    @lru_cache(maxsize=_TENANTS)
    def expected(tenant_id: str, slot: str) -> tuple[bytes, ...]:
        return ring.expected(tenant_id, slot, now)

    def genuine(tenant_id: str, slot: str, presented: bytes) -> bool:
        return matches(presented, expected(tenant_id, slot))

    return genuine
