"""Whether a record has room in hand: within its tenant's share, its tenant being one that may be asked."""

from ringback_common.clock import Clock
from ringback_common.outcomes import Received
from ringback_events.keys import tenant_of

from ringback_stream.aside.shares import TenantShares
from ringback_stream.consume.key_queue import KeyQueue, key_of
from ringback_stream.flows import Aside, Caps, LaneKind

__all__ = ["ShareAdmission"]


class ShareAdmission:
    """Asked for each record before it is taken in.

    Bulk has no share: it is taken in as its slots become free, for what waited for one would be put aside again.

    Args:
        aside: whom one may ask, and how much of it is served.
        caps: bounds of a share.
        queue: what is in hand.
        clock: monotonic time.
    """

    def __init__(self, aside: Aside, caps: Caps, queue: KeyQueue, clock: Clock) -> None:
        self._aside = aside
        self._most_of_a_key = caps.records_per_key
        self._queue = queue
        self._clock = clock
        self.shares = TenantShares(caps.least_share, caps.largest_share, self._quota)

    def has_capacity(self, received: Received, kind: LaneKind) -> bool:
        """Whether a record may be taken in."""
        waiting = self._queue.waiting(received)
        if waiting is not None:
            return waiting < self._most_of_a_key
        tenant = tenant_of(key_of(received))
        return not self._is_held(tenant) and self._has_place(tenant, kind) and self._aside.may_ask(received)

    def wants(self, received: Received, kind: LaneKind) -> bool:
        """Whether a record, and more of its tenant behind it, may be taken in: to begin again costs a fetch."""
        tenant = tenant_of(key_of(received))
        return self._has_little(tenant, bulk=kind is LaneKind.BULK) and self.has_capacity(received, kind)

    def is_starving(self, tenant: str, *, bulk: bool) -> bool:
        """Whether a tenant that may be asked has less than half of its share in hand."""
        return self._is_asked(tenant) and self._has_little(tenant, bulk=bulk)

    def is_full(self, tenant: str, *, bulk: bool) -> bool:
        """Whether a tenant has its share in hand, or must not be asked."""
        return not (self._is_asked(tenant) and self._has_place(tenant, LaneKind.BULK if bulk else LaneKind.LIVE))

    def _has_place(self, tenant: str, kind: LaneKind) -> bool:
        if kind is LaneKind.BULK:
            return self._queue.has_bulk_slot(tenant)
        return not self._queue.is_blocked(tenant) and self._queue.in_hand(tenant, bulk=False) < self.shares.of(tenant)

    def _has_little(self, tenant: str, *, bulk: bool) -> bool:
        if bulk:
            return self._queue.has_bulk_slot(tenant)
        in_hand = self._queue.in_hand(tenant, bulk=False)
        return not self._queue.is_blocked(tenant) and 2 * in_hand < self.shares.of(tenant)

    def _is_asked(self, tenant: str) -> bool:
        return not self._is_held(tenant) and not self._aside.is_paused(tenant)

    def _is_held(self, tenant: str) -> bool:
        """Whether a tenant has to wait for longer than its records may be in hand."""
        return self._queue.held_until(tenant) - self._clock.monotonic() > self._aside.within

    def _quota(self, tenant: str) -> int:
        return int(self._aside.quota(tenant) * self._aside.within)
