"""Which key runs next: one at a time per key, live before bulk, tenants in turn, none before its time.

Pure: given the time, it returns what to start. A key is *ready*, *delayed* (in-place retry, key interval) or
*running*; a key of a held tenant stays ready and is passed over.
"""

from collections import Counter, OrderedDict, deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from heapq import heappop, heappush
from itertools import count
from typing import NamedTuple

from ringback_common.outcomes import Received
from ringback_events.keys import tenant_of

from ringback_stream.consume.offsets import Ticket
from ringback_stream.flows import Caps, LaneKind

__all__ = ["Item", "KeyQueue", "TakenBack", "Work", "key_of"]


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


class TakenBack(NamedTuple):
    """Records of one key that were given up.

    Attributes:
        items: the records.
        attempts: how often a step of theirs has failed.
        waited_for_slot: whether they waited for a free slot, and not for a step of their own key.
    """

    items: Sequence[Item] = ()
    attempts: int = 0
    waited_for_slot: bool = False


@dataclass(slots=True)
class _Key:
    tenant: str
    bulk: bool
    """Whether only bulk records asked for it so far."""
    counts: bool = True
    """Whether it counts among its tenant's keys: not while its read goes on although its records are answered for."""
    waiting: list[Item] = field(default_factory=list[Item])
    running: bool = False
    slot: bool | None = None
    """Which kind of slot its step has while it has no answer yet: whether it is one of bulk's."""
    lingers: bool = False
    """Whether its read, no longer counted among the tenant's keys, keeps a live slot because bulk had none free."""
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
    """The key a record is serialised under; one without a key has a queue of its own."""
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
        self.clear()

    def clear(self) -> None:
        """Forget everything in hand: the assignment is over. Tenants that must wait still must."""
        self._keys: dict[bytes, _Key] = {}
        self._ready = {kind: _Turns() for kind in LaneKind}
        self._delayed: list[tuple[float, int, bytes]] = []
        self._running: Counter[tuple[str, bool]] = Counter()  # by tenant and "is bulk"
        self._slots: Counter[bool] = Counter()  # by "is bulk"
        self._lingering: Counter[str] = Counter()  # reads in live slots whose records are answered for, by tenant
        self._tenant_keys: Counter[tuple[str, bool]] = Counter()  # the same: bulk never holds live back
        self._last_began: dict[bytes, float] = {}

    # -- for the back-pressure gate --

    def tenant_is_full(self, received: Received, kind: LaneKind) -> bool:
        """Whether taking this record would exceed its tenant's keys; bulk is counted apart."""
        name, bulk = key_of(received), kind is LaneKind.BULK
        key = self._keys.get(name)
        counted = key is not None and (bulk or not key.bulk)
        return not counted and self._tenant_keys[tenant_of(name), bulk] >= self._caps.keys_per_tenant

    def in_hand(self, tenant: str, *, bulk: bool) -> int:
        """Unfinished keys of a tenant; bulk is counted apart."""
        return self._tenant_keys[tenant, bulk]

    def is_blocked(self, tenant: str) -> bool:
        """Whether reads of this tenant that take long leave no live slot for what is taken in."""
        lingering = self._lingering
        return lingering[tenant] >= self._caps.least_share or lingering.total() >= self._caps.in_flight

    def has_bulk_slot(self, tenant: str) -> bool:
        """Whether one more bulk record may begin at once, those that wait already left out."""
        bulk, caps = self._ready[LaneKind.BULK].tenants, self._caps
        ready = {each: sum(self._is_ready(name, LaneKind.BULK) for name in names) for each, names in bulk.items()}
        soon = sum(count for each, count in ready.items() if each not in self._held_until)
        own = caps.in_flight_bulk_per_tenant - self._running[tenant, True] - ready.get(tenant, 0)
        return min(caps.in_flight_bulk - self._slots[True] - soon, own) > 0

    def may_begin(self) -> bool:
        """Whether a step may begin now, by the queues that `next` takes from."""
        return any(
            tenant not in self._held_until
            and self._is_free(tenant, bulk=kind is LaneKind.BULK)
            and any(self._is_ready(name, kind) for name in names)
            for kind, turns in self._ready.items()
            for tenant, names in turns.tenants.items()
        )

    def waiting(self, received: Received) -> int | None:
        """How many records of the same key wait; None if the key is not in hand."""
        key = self._keys.get(key_of(received))
        return None if key is None else len(key.waiting)

    def held_until(self, tenant: str) -> float:
        """Monotonic time until which a tenant has to wait; 0 if it has not."""
        return self._held_until.get(tenant, 0.0)

    def offer(self, item: Item, now: float) -> None:
        """Take a record in."""
        name, bulk = key_of(item.received), item.kind is LaneKind.BULK
        key = self._keys.get(name)
        if key is None:
            key = self._keys[name] = _Key(tenant_of(name), bulk, not_before=self._earliest(name))
            self._tenant_keys[key.tenant, bulk] += 1
        elif key.bulk and not bulk:
            self._tenant_keys[key.tenant, True] -= key.counts
            self._tenant_keys[key.tenant, False] += key.counts
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

    def next(self, now: float) -> Work | None:
        """The next step to start; None when nothing may start now."""
        self.wake(now)
        for kind in LaneKind:
            work = self._pick(kind, now)
            if work is not None:
                return work
        return None

    def out_of_order(self, is_out_of_order: Callable[[Ticket], bool]) -> list[bytes]:
        """Waiting keys that a drain must not give back: this is true of a record, or a finished step ran when it came.

        While a step runs for a key, what waits for it is left out until the step has ended. A step that goes on alone
        is the exception: a drain does not wait for it.
        """
        return [
            name
            for name, key in self._keys.items()
            if key.waiting
            and not (key.running and key.counts)
            and (key.came_meanwhile or any(is_out_of_order(item.ticket) for item in key.waiting))
        ]

    def is_held(self, name: bytes, now: float) -> bool:
        """Whether the tenant of a key has to wait."""
        self.wake(now)
        return self._keys[name].tenant in self._held_until

    def has_slot(self, name: bytes) -> bool:
        """Whether a waiting key may run beside what runs."""
        key = self._keys[name]
        return self._is_free(key.tenant, bulk=min(item.kind for item in key.waiting) is LaneKind.BULK)

    def begin(self, name: bytes, now: float) -> Work:
        """Start a waiting key out of its turn."""
        key = self._keys[name]
        key.place = min(item.kind for item in key.waiting)
        return self._begin(name, key, now)

    def oldest_waiting(self, now: float) -> dict[str, float]:
        """When the oldest waiting record arrived, by what it waits for: a slot, its own time, its tenant's."""
        oldest: dict[str, float] = {}
        for why, arrived, _ in self._waits(now):
            oldest[why] = min(arrived, oldest.get(why, now))
        return oldest

    def oldest_key(self, why: str, now: float) -> bytes:
        """The key of the oldest record that waits for this; empty for none."""
        waiting = ((arrived, name) for reason, arrived, name in self._waits(now) if reason == why)
        return min(waiting, default=(now, b""))[1]

    def _waits(self, now: float) -> Iterator[tuple[str, float, bytes]]:
        """Of each key that waits: for what, since when its oldest record has been here, and the key."""
        for name, key in self._keys.items():
            if key.waiting and not key.running:
                why = "tenant" if self.is_held(name, now) else "record" if key.not_before > now else "ready"
                yield why, key.waiting[0].arrived, name

    def can_start(self, now: float) -> bool:
        """Whether a step may begin now, by each key itself: also one that no queue knows of is seen by the watchdog."""
        return any(
            key.waiting
            and not key.running
            and not self.is_held(name, now)
            and key.not_before <= now
            and self.has_slot(name)
            for name, key in self._keys.items()
        )

    def most_of_a_tenant(self) -> int:
        """The largest number of unfinished keys that one tenant has, in bulk or not."""
        return max(self._tenant_keys.values(), default=0)

    def next_change(self, now: float) -> float | None:
        """When the next hold, delay or pause ends, monotonic; `now` is the time of the last `wake`."""
        moments = [self._delayed[0][0]] if self._delayed else []
        return min((at for at in (*moments, *self._held_until.values()) if at > now), default=None)

    def runs(self, name: bytes) -> bool:
        """Whether a step of a key runs."""
        key = self._keys.get(name)
        return key is not None and key.running

    def first_waiting(self, name: bytes) -> Item:
        """The oldest record that waits for a key."""
        return self._keys[name].waiting[0]

    def take_back(self, item: Item) -> TakenBack:
        """Give up a record that waits, and all others of its key; nothing if it does not wait.

        What came while a step of its key runs was not tried: that step's failures stay its own.
        """
        name = key_of(item.received)
        key = self._keys.get(name)
        if key is None or item not in key.waiting:
            return TakenBack()
        items, key.waiting, key.place = key.waiting, [], None
        if key.running:
            return TakenBack(items)
        self._forget(name, key)
        return TakenBack(items, key.attempts, waited_for_slot=key.attempts == 0)

    def detach(self, work: Work) -> None:
        """The step goes on although its records are answered for: in a slot of bulk's, if one is free.

        It no longer counts among its tenant's keys: only its slot bounds it.
        """
        key = self._keys[work.key]
        if key.counts:
            key.counts = False
            self._tenant_keys[key.tenant, key.bulk] -= 1
        if key.slot is False and self._is_free(key.tenant, bulk=True):
            self._leave_slot(key)
            self._take_slot(key, bulk=True)
        elif key.slot is False:
            key.lingers = True
            self._lingering[key.tenant] += 1

    def answered(self, work: Work) -> None:
        """The step has answered: its slot is free, its key still runs until all of it is written."""
        self._leave_slot(self._keys[work.key])

    def finish(self, work: Work, now: float) -> None:
        """The work is done; its key may run again if more has come."""
        key = self._stop(work)
        key.attempts, key.failing_since = 0, None
        if key.waiting:
            self._tenant_keys[key.tenant, key.bulk] += not key.counts
            key.came_meanwhile = key.counts = True
            key.not_before = self._earliest(work.key)
            self._place(work.key, key, now)
        else:
            self._forget(work.key, key)
        if self._interval:
            self._forget_beginnings(now)

    def again(self, work: Work, now: float, not_before: float) -> None:
        """The work is to be done again, not before this time, together with what has come."""
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

    def _is_ready(self, name: bytes, kind: LaneKind) -> bool:
        """Whether an entry of a queue is not stale."""
        key = self._keys.get(name)
        return key is not None and key.place is kind

    def _pick(self, kind: LaneKind, now: float) -> Work | None:
        turns = self._ready[kind]
        for tenant in tuple(turns.tenants):
            if tenant in self._held_until or not self._is_free(tenant, bulk=kind is LaneKind.BULK):
                continue
            while (name := turns.pop(tenant)) is not None:
                if self._is_ready(name, kind):
                    return self._begin(name, self._keys[name], now)
        return None

    def _is_free(self, tenant: str, *, bulk: bool) -> bool:
        caps = self._caps
        slots = caps.in_flight_bulk if bulk else caps.in_flight
        share = caps.in_flight_bulk_per_tenant if bulk else caps.in_flight_per_tenant
        return self._slots[bulk] < slots and self._running[tenant, bulk] < share

    def _take_slot(self, key: _Key, *, bulk: bool) -> None:
        key.slot = bulk
        self._running[key.tenant, bulk] += 1
        self._slots[bulk] += 1

    def _leave_slot(self, key: _Key) -> None:
        if key.slot is not None:
            self._running[key.tenant, key.slot] -= 1
            self._slots[key.slot] -= 1
            key.slot = None
        if key.lingers:
            key.lingers = False
            self._lingering[key.tenant] -= 1

    def _begin(self, name: bytes, key: _Key, now: float) -> Work:
        kind = key.place if key.place is not None else LaneKind.LIVE
        work = Work(name, key.tenant, tuple(key.waiting), kind)
        key.waiting, key.running, key.place = [], True, None
        self._take_slot(key, bulk=kind is LaneKind.BULK)
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
        self._tenant_keys[key.tenant, key.bulk] -= key.counts
        if not self._lingering[key.tenant]:
            del self._lingering[key.tenant]
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
