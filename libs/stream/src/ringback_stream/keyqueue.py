"""Which key runs next: one at a time per key, live before bulk, tenants in turn, nobody before their time.

Pure: told the time, it answers what to start. A key is *ready*, *delayed* (in-place retry, key interval) or
*running*; a key of a held tenant stays ready and is passed over.
"""

from collections import Counter, OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from heapq import heappop, heappush
from itertools import count
from typing import NamedTuple

from ringback_common.outcomes import Received
from ringback_events.keys import tenant_of

from ringback_stream.flows import Caps, LaneKind
from ringback_stream.watermarks import Ticket

__all__ = ["HELD_AT_MOST", "Item", "KeyQueue", "Work", "key_of"]

HELD_AT_MOST = 30.0
"""Seconds a throttled tenant's record is held; a longer Retry-After makes the tenant *paused*."""

_OVERHELD_CHECK = 1.0  # seconds between looks at what has been held too long


class Item(NamedTuple):
    """One record in hand."""

    ticket: Ticket
    received: Received
    kind: LaneKind
    arrived: float
    """Monotonic."""


class Work(NamedTuple):
    """What one step is given: the records of one key."""

    key: bytes
    tenant: str
    items: tuple[Item, ...]
    kind: LaneKind
    """Whose slot it takes: the best lane among its records."""


@dataclass(slots=True)
class _Key:
    tenant: str
    bulk: bool
    """Whether only bulk records asked for it so far."""
    waiting: list[Item] = field(default_factory=list[Item])
    running: bool = False
    in_slot: bool = False
    """Whether its step has no answer yet."""
    came_meanwhile: bool = False
    """Whether a step has finished that ran when what waits came: elsewhere it would be asked for again."""
    place: LaneKind | None = None
    """The queue it is ready in; entries of other queues are stale and skipped."""
    not_before: float = 0.0
    delayed_until: float | None = None
    attempts: int = 0
    failing_since: float | None = None


class _Turns:
    """The ready keys of one slot kind: tenants take turns, within a tenant first come first served."""

    def __init__(self) -> None:
        self.tenants: OrderedDict[str, deque[bytes]] = OrderedDict()

    def add(self, tenant: str, key: bytes) -> None:
        self.tenants.setdefault(tenant, deque()).append(key)

    def pop(self, tenant: str) -> bytes | None:
        """The tenant's next key; the tenant goes to the end of the line."""
        keys = self.tenants.get(tenant)
        if not keys:
            self.tenants.pop(tenant, None)
            return None
        self.tenants.move_to_end(tenant)
        return keys.popleft()


def key_of(received: Received) -> bytes:
    """The key a record is serialised under; one without a key stands alone."""
    return (
        received.key
        if received.key is not None
        else f"|{received.topic}|{received.partition}|{received.offset}".encode()
    )


class KeyQueue:
    """Everything a keyed flow has in hand."""

    def __init__(self, caps: Caps, key_interval: float = 0.0) -> None:
        self._caps = caps
        self._interval = key_interval
        self._order = count()
        self._held_until: dict[str, float] = {}
        self._paused: set[str] = set()
        self.clear()

    def clear(self) -> None:
        """Forget everything in hand: the assignment is over. Tenants that must wait still must."""
        self._keys: dict[bytes, _Key] = {}
        self._ready = {kind: _Turns() for kind in LaneKind}
        self._delayed: list[tuple[float, int, bytes]] = []
        self._running: Counter[tuple[str, bool]] = Counter()  # by tenant and "is bulk"
        self._slots: Counter[bool] = Counter()  # by "is bulk"
        self._tenant_keys: Counter[tuple[str, bool]] = Counter()  # the same: bulk never holds live back
        self._pressed: set[str] = set()
        self._last_began: dict[bytes, float] = {}

    # -- asked by the intake --

    def tenant_is_full(self, received: Received, kind: LaneKind) -> bool:
        """Whether taking this record would exceed its tenant's keys; bulk is counted apart."""
        name, bulk = key_of(received), kind is LaneKind.BULK
        key = self._keys.get(name)
        counted = key is not None and (bulk or not key.bulk)
        return not counted and self._tenant_keys[tenant_of(name), bulk] >= self._caps.keys_per_tenant

    def press(self, tenants: set[str]) -> None:
        """These tenants' held records stand in the way of others: they may be held no longer."""
        self._pressed |= tenants & self._paused

    @property
    def paused_tenants(self) -> frozenset[str]:
        """Tenants told to wait longer than a record may be held."""
        return frozenset(self._paused)

    def offer(self, item: Item, now: float) -> None:
        """Take a record in."""
        name, bulk = key_of(item.received), item.kind is LaneKind.BULK
        key = self._keys.get(name)
        if key is None:
            key = self._keys[name] = _Key(tenant_of(name), bulk, not_before=self._earliest(name))
            self._tenant_keys[key.tenant, bulk] += 1
        elif key.bulk and not bulk:
            self._tenant_keys[key.tenant, True] -= 1
            self._tenant_keys[key.tenant, False] += 1
            key.bulk = False
        key.waiting.append(item)
        self._place(name, key, now)

    # -- asked by the runner --

    def wake(self, now: float) -> None:
        """Make startable whatever waited for a moment that is not later than this one."""
        while self._delayed and self._delayed[0][0] <= now:
            _, _, name = heappop(self._delayed)
            key = self._keys.get(name)
            if key is not None and key.waiting and key.not_before <= now:
                self._place(name, key, now)
        for tenant in [tenant for tenant, until in self._held_until.items() if until <= now]:
            del self._held_until[tenant]
            self._paused.discard(tenant)
            self._pressed.discard(tenant)

    def next(self, now: float) -> Work | None:
        """The next step to start; None when nothing may start now."""
        self.wake(now)
        for kind in LaneKind:
            bulk = kind is LaneKind.BULK
            if self._slots[bulk] >= (self._caps.in_flight_bulk if bulk else self._caps.in_flight):
                continue
            work = self._pick(kind, now)
            if work is not None:
                return work
        return None

    def next_overheld(self, now: float) -> Work | None:
        """Records of a paused tenant that may be held no longer: keys at their cap, in others' way, or 30 s old."""
        self.wake(now)
        for tenant in self._paused:
            if max(self._tenant_keys[tenant, bulk] for bulk in (False, True)) >= self._caps.keys_per_tenant:
                self._pressed.add(tenant)
            full = tenant in self._pressed
            for kind, turns in self._ready.items():
                name = self._first_ready(turns, kind, tenant)
                if name is not None and (full or self._keys[name].waiting[0].arrived + HELD_AT_MOST <= now):
                    turns.tenants[tenant].popleft()
                    return self._begin(name, self._keys[name], now)
            self._pressed.discard(tenant)
        return None

    def overtaken(self, is_overtaken: Callable[[Ticket], bool]) -> list[bytes]:
        """Keys that wait with a record of which this is true, or that came while a step ran for its key; due or not."""
        return [
            name
            for name, key in self._keys.items()
            if not key.running and (key.came_meanwhile or any(is_overtaken(item.ticket) for item in key.waiting))
        ]

    def is_held(self, name: bytes, now: float) -> bool:
        """Whether the tenant of a key was told to wait."""
        self.wake(now)
        return self._keys[name].tenant in self._held_until

    def has_slot(self, name: bytes) -> bool:
        """Whether a waiting key may run beside what runs."""
        key = self._keys[name]
        bulk = min(item.kind for item in key.waiting) is LaneKind.BULK
        slots = self._caps.in_flight_bulk if bulk else self._caps.in_flight
        return self._slots[bulk] < slots and self._running[key.tenant, bulk] < self._caps.in_flight_per_tenant

    def begin(self, name: bytes, now: float) -> Work:
        """Start a waiting key out of its turn."""
        key = self._keys[name]
        key.place = min(item.kind for item in key.waiting)
        return self._begin(name, key, now)

    def next_change(self, now: float) -> float | None:
        """The earliest monotonic time, not before `now`, at which a hold, a delay or a pause may end.

        One that has ended since the last `wake` counts as ending now: nothing has started its keys yet.
        """
        moments = [self._delayed[0][0]] if self._delayed else []
        moments += self._held_until.values()
        if self._paused and self._keys:
            moments.append(now + _OVERHELD_CHECK)
        return max(now, min(moments)) if moments else None

    def answered(self, work: Work) -> None:
        """The step has answered: its slot is free, its key still runs until all of it is written."""
        key = self._keys[work.key]
        if key.in_slot:
            key.in_slot = False
            self._running[work.tenant, work.kind is LaneKind.BULK] -= 1
            self._slots[work.kind is LaneKind.BULK] -= 1

    def finish(self, work: Work, now: float) -> None:
        """The work is done; its key may run again if more came meanwhile."""
        key = self._stop(work)
        key.attempts, key.failing_since = 0, None
        if key.waiting:
            key.came_meanwhile = True
            key.not_before = self._earliest(work.key)
            self._place(work.key, key, now)
        else:
            self._forget(work.key, key)
        if self._interval:
            self._forget_beginnings(now)

    def again(self, work: Work, now: float, not_before: float) -> None:
        """The work is to be done again, not before this time; what came meanwhile comes along."""
        key = self._stop(work)
        key.waiting[:0] = work.items
        key.not_before = not_before
        self._place(work.key, key, now)

    def failed(self, work: Work, now: float) -> tuple[int, float]:
        """Count a failed attempt; returns the attempts so far and the seconds since the first of them failed."""
        key = self._keys[work.key]
        key.attempts += 1
        key.failing_since = now if key.failing_since is None else key.failing_since
        return key.attempts, now - key.failing_since

    def hold(self, tenant: str, now: float, seconds: float) -> None:
        """All keys of a tenant wait exactly so long."""
        self._held_until[tenant] = max(self._held_until.get(tenant, 0.0), now + seconds)
        if seconds > HELD_AT_MOST:
            self._paused.add(tenant)

    # -- inside --

    def _earliest(self, name: bytes) -> float:
        began = self._last_began.get(name)
        return 0.0 if began is None else began + self._interval

    def _place(self, name: bytes, key: _Key, now: float) -> None:
        if key.running:
            return
        if key.not_before > now:
            if key.delayed_until != key.not_before:
                key.delayed_until = key.not_before
                heappush(self._delayed, (key.not_before, next(self._order), name))
            return
        kind = min(item.kind for item in key.waiting)
        if key.place is None or kind < key.place:
            key.place = kind
            self._ready[kind].add(key.tenant, name)

    def _pick(self, kind: LaneKind, now: float) -> Work | None:
        turns = self._ready[kind]
        for tenant in tuple(turns.tenants):
            full = self._running[tenant, kind is LaneKind.BULK] >= self._caps.in_flight_per_tenant
            if tenant in self._held_until or full:
                continue
            while (name := turns.pop(tenant)) is not None:
                key = self._keys.get(name)
                if key is not None and key.place is kind:
                    return self._begin(name, key, now)
        return None

    def _first_ready(self, turns: _Turns, kind: LaneKind, tenant: str) -> bytes | None:
        names = turns.tenants.get(tenant, deque[bytes]())
        while names and ((key := self._keys.get(names[0])) is None or key.place is not kind):
            names.popleft()
        return names[0] if names else None

    def _begin(self, name: bytes, key: _Key, now: float) -> Work:
        kind = key.place if key.place is not None else LaneKind.LIVE
        work = Work(name, key.tenant, tuple(key.waiting), kind)
        key.waiting, key.running, key.in_slot, key.place = [], True, True, None
        self._running[key.tenant, kind is LaneKind.BULK] += 1
        self._slots[kind is LaneKind.BULK] += 1
        if self._interval:
            self._last_began.pop(name, None)
            self._last_began[name] = now
        return work

    def _stop(self, work: Work) -> _Key:
        self.answered(work)
        key = self._keys[work.key]
        key.running = False
        return key

    def _forget(self, name: bytes, key: _Key) -> None:
        del self._keys[name]
        self._tenant_keys[key.tenant, key.bulk] -= 1
        for bulk in (False, True):  # tenants come and go: nothing is kept of those without keys
            place = (key.tenant, bulk)
            if not self._tenant_keys[place]:
                del self._tenant_keys[place]
            if not self._running[place]:
                del self._running[place]

    def _forget_beginnings(self, now: float) -> None:
        """Drop remembered beginnings that no longer hold anything back; they are in order of time."""
        while self._last_began:
            name, began = next(iter(self._last_began.items()))
            if began + self._interval > now:
                return
            del self._last_began[name]
