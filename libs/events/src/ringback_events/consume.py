"""The consumer kit: the consumer rule as code, pure, for any Kafka client.

The rule: greater (version, revision) wins; within one the id removes repeats; the sessions of a version are all there
when its `completed` marker has come, on the same topic and partition, after them.
"""

from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Any, Protocol

from pydantic_core import from_json

from ringback_events.open import OpenCall, OpenSession, SessionsCompleted

__all__ = [
    "SessionAssembler",
    "SessionsOfVersion",
    "Versioned",
    "newer",
    "read_call",
    "read_session_event",
]


class Versioned(Protocol):
    """Anything that tells which version of a call it is about."""

    @property
    def version(self) -> int:
        """Graph's version."""
        ...

    @property
    def revision(self) -> int:
        """Ringback's revision of the derivation."""
        ...


def newer(candidate: Versioned, held: Versioned | None) -> bool:
    """Whether the candidate replaces what is held: greater (version, revision); an equal one is a repeat."""
    if held is None:
        return True
    return (candidate.version, candidate.revision) > (held.version, held.revision)


def read_call(value: bytes | str) -> OpenCall:
    """Read a value of `callrecords.open.calls.v1`; members of later minor versions are ignored.

    Raises:
        pydantic.ValidationError: the value breaks the contract.
    """
    return OpenCall.model_validate_json(value, extra="ignore")


def read_session_event(value: bytes | str) -> OpenSession | SessionsCompleted:
    """Read a value of `callrecords.open.sessions.v1`, a session or the marker after them; unknown members are ignored.

    Raises:
        ValueError: the value is not JSON or breaks the contract (`pydantic.ValidationError` is a ValueError).
    """
    told: Any = from_json(value)
    model = SessionsCompleted if isinstance(told, dict) and "completed" in told else OpenSession
    return model.model_validate(told, extra="ignore")


@dataclass(frozen=True, slots=True)
class SessionsOfVersion:
    """All sessions of one version of a call, by ordinal."""

    tenant_id: str
    call_id: str
    version: int
    revision: int
    sessions: tuple[OpenSession, ...]


@dataclass(slots=True)
class _Held:
    version: int
    revision: int
    first_offset: int | None = None
    """Of its first session in hand; None while no session waits for the marker."""
    sessions: dict[int, OpenSession] = field(default_factory=dict[int, OpenSession])
    finished: bool = False


class SessionAssembler:
    """Collects the sessions of each call's newest version until they are whole; one per assigned partition.

    Where the reading of a partition begins anew (its log was made anew, or the group's offset set), make a new one: it
    keeps offsets of the log before.

    Repeats and older versions are dropped, an unfinished version gives way to a newer one. A marker that finds sessions
    missing (reading began between them) gives nothing: they come again only with the next version or a replay, and
    what is older than that marker stays dropped.

    Args:
        remember: how many calls are kept in mind; an older version of a call forgotten since is taken for new.
    """

    def __init__(self, remember: int = 100_000) -> None:
        self._remember = remember
        self._calls: OrderedDict[tuple[str, str], _Held] = OrderedDict()

    def add(self, event: OpenSession | SessionsCompleted, offset: int = 0) -> SessionsOfVersion | None:
        """Take the next event of the partition; returns the sessions of a version when this event makes them whole.

        Args:
            event: as `read_session_event` gives it.
            offset: of its record; only `resume_from` needs it.
        """
        key = (event.tenant_id, event.call_id)
        held = self._calls.get(key)
        if newer(event, held):
            held = self._calls[key] = _Held(event.version, event.revision)
            self._calls.move_to_end(key)
            self._forget_oldest()
        if held is None or held.finished or newer(held, event):
            return None
        if isinstance(event, OpenSession):
            held.first_offset = offset if held.first_offset is None else held.first_offset
            held.sessions.setdefault(event.ordinal, event)
            return None
        return self._finish(held, event)

    def resume_from(self, next_offset: int) -> int:
        """The offset to commit: the lowest whose sessions still wait for their marker, else `next_offset`."""
        waiting = (held.first_offset for held in self._calls.values() if held.first_offset is not None)
        return min(waiting, default=next_offset)

    def _finish(self, held: _Held, marker: SessionsCompleted) -> SessionsOfVersion | None:
        sessions = tuple(held.sessions[ordinal] for ordinal in sorted(held.sessions))
        held.first_offset, held.sessions = None, {}
        if len(sessions) != marker.session_count:
            return None
        held.finished = True
        return SessionsOfVersion(marker.tenant_id, marker.call_id, marker.version, marker.revision, sessions)

    def _forget_oldest(self) -> None:
        while len(self._calls) > self._remember:
            self._calls.popitem(last=False)
