"""Collects the sessions of a version, which are records of their own, until its `completed` marker has come."""

from collections import OrderedDict
from dataclasses import dataclass
from sys import intern

from ringback_events.open import OpenSession, SessionsCompleted
from ringback_events.versions import newer
from ringback_events.waiting import WaitingKey, WaitingSessions

__all__ = ["SessionAssembler", "SessionsOfVersion"]


@dataclass(frozen=True, slots=True)
class SessionsOfVersion:
    """All sessions of one version of a call, by ordinal."""

    tenant_id: str
    call_id: str
    version: int
    revision: int
    sessions: tuple[OpenSession, ...]


@dataclass(slots=True)
class _Newest:
    """The newest version seen of a call: whether its sessions were given, or some are known to be lost."""

    version: int
    revision: int
    is_given: bool = False
    is_short: bool = False


class SessionAssembler:
    """Collects the sessions of each call's newest version until they are whole; one per assigned partition.

    Where the reading of a partition begins anew (after a rebalance, its log made anew, the group's offset set), make a
    new one: it keeps offsets of the reading before. `SessionReader` does so.

    Repeats and versions older than one it remembers are dropped, a newer version replaces an unfinished one. A
    marker that finds sessions missing (reading began between them, one could not be read, or they were given up) gives
    nothing, which is counted: they come again only with the next version or a replay, and what is older than that
    marker stays dropped.

    A new assembler remembers no version: what it gives first may be older than what its predecessor has given.

    A marker may never come: its publisher died, and the call was never published again. Two bounds keep such a version
    from holding the commit and the memory for ever. A publisher that comes back writes the whole version again, so what
    was given up too early is whole all the same.

    Args:
        remember: of how many calls the newest version is remembered, some 300 bytes each; an older version of a call
            forgotten since is taken for new.
        span: how many offsets behind the one just read the sessions of an unfinished version may begin; beyond, it is
            given up. 200,000 are six meetings of the most sessions that Ringback publishes, one among the other.
        hold: how many sessions may be in hand for all unfinished versions, some 6 KB each and 5 KB more for each of its
            streams; beyond, the version that began first is given up, but never the one to which a session was just
            added: one that waits alone may have more, up to `span`. 60,000 are two of the largest meetings. A record
            of 40 MiB of Graph's JSON in 500 pages of 60 has 30,000 sessions at most.

    Raises:
        ValueError: a bound that leaves no room.
    """

    def __init__(self, remember: int = 100_000, *, span: int = 200_000, hold: int = 60_000) -> None:
        if remember < 1 or span < 0 or hold < 1:
            raise ValueError("remember and hold are at least 1, span at least 0")
        self._remember, self._span, self._hold = remember, span, hold
        self._newest: OrderedDict[WaitingKey, _Newest] = OrderedDict()
        self._waiting = WaitingSessions()
        self._given_up = self._short = 0

    @property
    def given_up(self) -> int:
        """How many unfinished versions a bound has ended so far: worth an alarm, for their calls lack sessions."""
        return self._given_up

    @property
    def short(self) -> int:
        """How many versions that no bound had ended lacked sessions when their marker came.

        One could not be read, retention had removed some, or reading began between them. The last may be so right after
        a start or a rebalance, for versions that were given before it; at any other time it is worth an alarm, too.
        """
        return self._short

    @property
    def in_hand(self) -> int:
        """How many sessions wait for their marker."""
        return self._waiting.count

    def add(self, event: OpenSession | SessionsCompleted, offset: int = 0) -> SessionsOfVersion | None:
        """Take the next event of the partition; returns the sessions of a version when this event makes them whole.

        Args:
            event: as `read_session_event` gives it.
            offset: of its record; without it `resume_from` and the bound `span` mean nothing.
        """
        self._keep_span(offset)
        call = (event.tenant_id, event.call_id)
        newest = self._newest.get(call)
        if newer(event, newest):
            newest = self._begin(call, event)
        if newest is None or newest.is_given or newer(newest, event):
            return None
        if isinstance(event, SessionsCompleted):
            return self._finish(call, newest, event)
        self._waiting.add(call, event, offset)
        self._keep_hold(call)
        return None

    def resume_from(self, next_offset: int) -> int:
        """The offset to commit: the lowest whose sessions still wait for their marker, else `next_offset`."""
        first = self._waiting.first()
        return next_offset if first is None else first[0]

    def _begin(self, call: WaitingKey, event: OpenSession | SessionsCompleted) -> _Newest:
        self._waiting.pop(call)
        # The same few tenants over and over: one string each for all their calls.
        call = (intern(call[0]), call[1])
        newest = self._newest[call] = _Newest(event.version, event.revision)
        self._newest.move_to_end(call)
        if len(self._newest) > self._remember:
            self._give_up(self._newest.popitem(last=False)[0])
        return newest

    def _finish(self, call: WaitingKey, newest: _Newest, marker: SessionsCompleted) -> SessionsOfVersion | None:
        sessions = self._waiting.pop(call)
        if len(sessions) != marker.session_count:
            self._short += not newest.is_short
            newest.is_short = True
            return None
        newest.is_given = True
        return SessionsOfVersion(*call, marker.version, marker.revision, sessions)

    def _keep_span(self, offset: int) -> None:
        while (first := self._waiting.first()) is not None and first[0] < offset - self._span:
            self._give_up(first[1])

    def _keep_hold(self, added: WaitingKey) -> None:
        while self._waiting.count > self._hold and (other := self._waiting.oldest_but(added)) is not None:
            self._give_up(other)

    def _give_up(self, call: WaitingKey) -> None:
        if call in self._waiting:
            self._waiting.pop(call)
            self._given_up += 1
            if (newest := self._newest.get(call)) is not None:
                newest.is_short = True
