"""A member's share of a quota, by the leases that all members write to one log. Pure: time comes in as an argument.

What makes it safe (ADR 0049): all members read the same log in the same order. A member uses more only after it has
read its own claim back and, by every entry before it, the sum fits; it uses less before it writes so. A member whose
lease has ended uses nothing, and the others count what it held for a window more.
"""

from collections import deque
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from ringback_stream.quota.allotment import LEAST, RESERVE, allot

__all__ = ["LEASE_SECONDS", "RENEW_SECONDS", "WINDOW_SECONDS", "Lease", "LeaseHolder", "Usable"]

WINDOW_SECONDS = 20.0
"""The window of the quota."""
LEASE_SECONDS = 24.0
"""How long a lease lasts from the moment its entry was sent: six attempts to renew it."""
RENEW_SECONDS = 4.0
_MARGIN = 1.0
"""Seconds by which two monotonic clocks may differ over a lease and a window: 2 %, a hundred times a bad quartz."""
_HYSTERESIS = 0.05
"""Part of a share that is not worth moving: what moves rests for a window, and no member uses it in that time."""
_REMEMBERED_WRITES = 16
_FORGET_SECONDS = 600.0


@dataclass(frozen=True, slots=True)
class Lease:
    """What a member writes; all numbers of requests are for one window."""

    member: str
    number: int
    """Counts the entries of this member."""
    want: int
    """Requests it asks for."""
    claim: int
    """Requests it may use as soon as it has read this entry back and the sum fits."""
    held: int
    """The most it may have used in the window before, at least `claim`: what the others count."""
    left: bool = False
    """It uses nothing any more."""


class Usable(NamedTuple):
    """What a member may use."""

    limit: int
    """Requests in a window."""
    until: float
    """Monotonic seconds; nothing from then on."""


@dataclass(frozen=True, slots=True)
class _Peer:
    lease: Lease
    received: float
    """Monotonic seconds of this process at which its newest lease was read; later than it was sent."""
    is_over: bool = False
    """Its share is free again: this lease has ended for good, whatever is or is not read from now on."""


@dataclass(frozen=True, slots=True)
class _Sent:
    at: float
    claim: int
    expired: Mapping[str, int]
    """Peers whose lease had ended for certain, with the number of their last entry."""


@dataclass(slots=True)
class LeaseHolder:
    """One member: writes leases, reads everybody's, and knows what it may use.

    Args:
        member: its name, of no other process ever.
        quota: requests in a window, of all members together.
    """

    member: str
    quota: int
    _peers: dict[str, _Peer] = field(default_factory=dict[str, _Peer])
    _use: int = 0
    _until: float = float("-inf")
    _watching_since: float = float("inf")
    """Since when its own lease has held without a gap; before, the silence of others proves nothing."""
    _number: int = 0
    _newest_read: int = 0
    _renewed: float = float("-inf")
    _written: Lease | None = None
    _sent: dict[int, _Sent] = field(default_factory=dict[int, _Sent])
    _resting: deque[tuple[int, float]] = field(default_factory=deque[tuple[int, float]])
    """Shares it had, and the moment at which they have rested for a window."""

    def usable(self, now: float) -> Usable:
        """What it may use now."""
        self._expire(now)
        return Usable(self._use, self._until)

    def members(self, now: float) -> int:
        """How many members are alive, itself included."""
        return 1 + sum(self._lives(peer, now) for peer in self._peers.values())

    def due(self, want: int, now: float) -> bool:
        """Whether an entry is to be written: the lease must be renewed, or there is news that others wait for."""
        self._expire(now)
        if self._written is None or self._written.left:
            return self._written is None
        if now - self._renewed >= RENEW_SECONDS:
            return True
        claim, written = self._claim(self._at_least(want), now), self._written
        moved = abs(claim - written.claim) > _HYSTERESIS * max(claim, written.claim)
        return moved or self._held(claim, now) < written.held

    def renew(self, want: int, now: float) -> Lease:
        """The entry to write now. What is given up by it is not used from this call on."""
        self._expire(now)
        want = self._at_least(want)
        claim = self._claim(want, now)
        self._give_up(claim, now)
        return self._entry(Lease(self.member, self._number + 1, want, claim, self._held(claim, now)), now)

    def leave(self, now: float) -> Lease:
        """The last entry: nothing is used from this call on."""
        self._expire(now)
        self._give_up(0, now)
        return self._entry(Lease(self.member, self._number + 1, 0, 0, self._held(0, now), left=True), now)

    def read(self, lease: Lease, now: float) -> None:
        """Take the next entry of the log into account; its own as well. All entries, in the order of the log."""
        self._expire(now)
        if lease.member == self.member:
            self._read_back(lease, now)
        elif (known := self._peers.get(lease.member)) is None or lease.number > known.lease.number:
            self._peers[lease.member] = _Peer(lease, now)

    def forgettable(self, now: float) -> Collection[str]:
        """Peers that were silent for ten minutes: their entries may be removed from the log.

        Not as soon as their share is free: one that thaws would write in the moment in which its entry is removed, and
        a member that begins then would not know of it.
        """
        return [name for name, peer in self._peers.items() if now - peer.received >= _FORGET_SECONDS and peer.is_over]

    def forget(self, member: str) -> None:
        """Drop a peer of `forgettable`."""
        del self._peers[member]

    # -- inside --

    def _expire(self, now: float) -> None:
        if now < self._until:
            ended = {name: replace(peer, is_over=True) for name, peer in self._peers.items() if self._ends(peer, now)}
            self._peers.update(ended)
        else:
            self._give_up(0, self._until)
            self._watching_since = float("inf")

    def _give_up(self, claim: int, at: float) -> None:
        if claim < self._use:
            self._resting.append((self._use, at + WINDOW_SECONDS))
            self._use = claim

    def _held(self, claim: int, now: float) -> int:
        while self._resting and self._resting[0][1] <= now:
            self._resting.popleft()
        return max((claim, self._use, *(share for share, _ in self._resting)))

    def _entry(self, lease: Lease, now: float) -> Lease:
        self._number, self._renewed, self._written = lease.number, now, lease
        self._sent[lease.number] = _Sent(now, lease.claim, self._ended())
        self._sent.pop(lease.number - _REMEMBERED_WRITES, None)
        return lease

    def _read_back(self, lease: Lease, now: float) -> None:
        sent = self._sent.pop(lease.number, None)
        if sent is None or now >= sent.at + LEASE_SECONDS or lease.number < self._newest_read:
            return  # behind a newer one of its own in the log: the others do not count it either
        self._newest_read = lease.number
        self._watching_since = min(self._watching_since, now)
        self._until = max(self._until, sent.at + LEASE_SECONDS)
        if lease.claim + self._reserved(sent.expired) <= self.quota:
            later = (other.claim for number, other in self._sent.items() if number > lease.number)
            self._use = max(self._use, min((lease.claim, *later)))  # a later entry may have given some up

    def _ended(self) -> Mapping[str, int]:
        return {name: peer.lease.number for name, peer in self._peers.items() if peer.is_over}

    def _reserved(self, over: Mapping[str, int]) -> int:
        """What the others may use, or may have used in the window before."""
        return sum(peer.lease.held for name, peer in self._peers.items() if over.get(name) != peer.lease.number)

    def _at_least(self, want: int) -> int:
        return max(want, round(self.quota * LEAST))

    def _claim(self, want: int, now: float) -> int:
        wants = {name: peer.lease.want for name, peer in self._peers.items() if self._lives(peer, now)}
        share = allot(self.quota, wants | {self.member: want})[self.member]
        if share < self._use:
            return share if share < (1 - _HYSTERESIS) * self._use else self._use
        return max(self._use, min(share, self._free()))

    def _free(self) -> int:
        """What no other has: the reserve only for one without a share, and of that half, for it may not be alone."""
        left = self.quota - self._reserved(self._ended())
        free = left - round(self.quota * RESERVE)
        return max(free, left // 2) if self._use < round(self.quota * LEAST) else free

    def _lives(self, peer: _Peer, now: float) -> bool:
        return not peer.lease.left and not peer.is_over and self._silence(peer, now) < LEASE_SECONDS

    def _ends(self, peer: _Peer, now: float) -> bool:
        if peer.lease.left:
            return now - peer.received >= WINDOW_SECONDS
        return self._silence(peer, now) >= LEASE_SECONDS + WINDOW_SECONDS + _MARGIN

    def _silence(self, peer: _Peer, now: float) -> float:
        return now - max(peer.received, self._watching_since)
