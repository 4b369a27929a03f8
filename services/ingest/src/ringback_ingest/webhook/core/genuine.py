"""What the keys and the installation's id say about an item, as of a moment."""

from datetime import datetime
from functools import lru_cache

from ringback_ingest.client_state import KeyRing, KeyStatus, NotificationQuery, matches

__all__ = ["Proof"]

_TENANTS = 4096
"""Computed values kept; a forger who invents tenants only costs the others the 2 us it takes to compute one again."""


class Proof:
    """The check against all keys valid at `now`; make a new one when the file changes or a key ends.

    Args:
        ring: what the keys file holds.
        now: the moment.
        installation: our id, which the URL of every subscription of ours carries.
    """

    def __init__(self, ring: KeyRing, now: datetime, installation: str) -> None:
        self._ring = ring
        self._now = now
        self._installation = installation

        @lru_cache(maxsize=_TENANTS)
        def expected(tenant_id: str, slot: str) -> tuple[bytes, ...]:
            return ring.expected(tenant_id, slot, now)

        self._expected = expected

    def genuine(self, tenant_id: str, slot: str, presented: bytes) -> bool:
        """Whether a subscription of ours carries this clientState."""
        return matches(presented, self._expected(tenant_id, slot))

    def key_status(self, query: NotificationQuery) -> KeyStatus | None:
        """How the key stands that a URL of ours names; None for a URL of another installation."""
        return self._ring.key_status(query.kid, self._now) if query.installation == self._installation else None
