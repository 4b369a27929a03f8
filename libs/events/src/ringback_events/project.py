"""The projector: makes the open events of a version from its restricted record alone."""

from collections.abc import Callable
from typing import NamedTuple, cast

from ringback_events.open import OpenCall, OpenSession
from ringback_events.record import CallRecord, Session
from ringback_events.shapes import Wire, opener
from ringback_events.wire import CallRecordWire, OpenCallWire, OpenSessionWire, PartyWire, SessionsCompletedWire

__all__ = ["OpenVersion", "PartyToken", "project"]

PartyToken = Callable[[PartyWire], str | None]
"""Gives the token of a party under the installation's token policy, or None; see `ringback_events.tokens`."""

_open_call = opener(CallRecord, OpenCall)
_open_session = opener(Session, OpenSession)

_FROM_CALL = {
    "tenantId": "tenantId",
    "callId": "callId",
    "version": "version",
    "revision": "revision",
    "callType": "type",
    "callStartDateTime": "startDateTime",
    "sessionCount": "sessionCount",
}
"""What every event of the sessions topic repeats of its call, by its name there."""


class OpenVersion(NamedTuple):
    """All open events of one version, in the order they are published: sessions, marker, call."""

    sessions: list[OpenSessionWire]
    completed: SessionsCompletedWire
    call: OpenCallWire


def project(record: CallRecordWire, token: PartyToken) -> OpenVersion:
    """Project a restricted record to the open tier.

    Keeps what is C0 or C1 by the models' classes; strings without the form of a label become `unknown`. A pure
    function of its arguments; the record is not changed.

    Args:
        record: the whole record as on the wire, valid by its model.
        token: called once per party.
    """
    call = _open_call(cast("Wire", record))
    for opened, party in zip(call["parties"], record["parties"], strict=True):
        opened["token"] = token(party)
    shared = {name: call[of_call] for name, of_call in _FROM_CALL.items() if of_call in call}
    sessions = [shared | _open_session(cast("Wire", session)) for session in record["sessions"]]
    completed = shared | {"completed": True}
    return OpenVersion(
        cast("list[OpenSessionWire]", sessions), cast("SessionsCompletedWire", completed), cast("OpenCallWire", call)
    )
