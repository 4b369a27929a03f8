"""The sessions of versions whose marker has not come yet, and the offset from which they would have to be read again.

Every method takes the same time however many calls a partition holds. It grows a little with the versions that wait,
whose first offsets are kept in order; `ringback_events.assembler` bounds how many those are.
"""

from bisect import bisect_left, insort
from dataclasses import dataclass, field

from ringback_events.open import OpenSession

__all__ = ["WaitingKey", "WaitingSessions"]

WaitingKey = tuple[str, str]
"""Tenant and call."""


@dataclass(slots=True)
class _Version:
    first_offset: int
    sessions: dict[int, OpenSession] = field(default_factory=dict[int, OpenSession])


class WaitingSessions:
    """Sessions in hand by call, of one version each; the caller of `add` decides which version that is.

    Attributes:
        count: sessions in hand, of all calls.
    """

    def __init__(self) -> None:
        self._versions: dict[WaitingKey, _Version] = {}
        # Ascending. A client may go back in its partition, so what comes last is not always the highest.
        self._first_offsets: list[tuple[int, WaitingKey]] = []
        self.count = 0

    def __contains__(self, call: WaitingKey) -> bool:
        return call in self._versions

    def add(self, call: WaitingKey, session: OpenSession, offset: int) -> None:
        """Keep a session with those of its call; a repeat changes nothing."""
        version = self._versions.get(call)
        if version is None:
            version = self._versions[call] = _Version(offset)
            insort(self._first_offsets, (offset, call))
        if session.ordinal not in version.sessions:
            version.sessions[session.ordinal] = session
            self.count += 1

    def pop(self, call: WaitingKey) -> tuple[OpenSession, ...]:
        """Remove and return the sessions of a call, by ordinal; empty if none wait."""
        version = self._versions.pop(call, None)
        if version is None:
            return ()
        del self._first_offsets[bisect_left(self._first_offsets, (version.first_offset, call))]
        self.count -= len(version.sessions)
        return tuple(version.sessions[ordinal] for ordinal in sorted(version.sessions))

    def first(self) -> tuple[int, WaitingKey] | None:
        """The lowest offset that has to be read again, and its call; None while nothing waits."""
        return self._first_offsets[0] if self._first_offsets else None

    def oldest_but(self, call: WaitingKey) -> WaitingKey | None:
        """The call whose sessions began first, this one left out; None while no other waits."""
        return next((other for _, other in self._first_offsets[:2] if other != call), None)
