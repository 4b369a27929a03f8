"""What the fixtures of libs/events give their tests: functions that make records and the events of a version."""

from typing import Protocol

from ringback_events.open import OpenSession, SessionsCompleted
from ringback_events.wire import CallRecordWire

__all__ = ["CALL", "MakeEvents", "MakeRecord", "SessionEvents"]

CALL = "e523d2ed-2966-4b6b-925b-754a88034cc5"
"""The call of a record for which no other is named."""

SessionEvents = list[OpenSession | SessionsCompleted]
"""Events of the sessions topic in their order there."""


class MakeRecord(Protocol):
    """Builds restricted records."""

    def __call__(
        self,
        *,
        sessions: int = 2,
        streams: int = 2,
        parties: int = 2,
        call: str = CALL,
        version: int = 3,
        revision: int = 1,
    ) -> CallRecordWire:
        """A valid record in its wire form: so many sessions, of so many streams each, and so many parties."""
        ...


class MakeEvents(Protocol):
    """Makes what the sessions topic holds of one version of a call."""

    def __call__(self, version: int = 1, revision: int = 0, sessions: int = 3, call: str = "c1") -> SessionEvents:
        """The sessions by ordinal, then their marker."""
        ...
