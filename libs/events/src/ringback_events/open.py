"""The open tier: shapes without identities, derived from the restricted record by the projector."""

from pydantic import AwareDatetime

from ringback_events.fields import Event, Privacy, member
from ringback_events.record import (
    CallFacts,
    EndpointFacts,
    FailureFacts,
    NetworkFacts,
    PartyFacts,
    SessionFacts,
    StreamFacts,
)

__all__ = ["OpenCall", "OpenParty", "OpenSession", "OpenStream", "SessionsCompleted"]

C0, C1 = Privacy.C0, Privacy.C1


class OpenParty(PartyFacts):
    """A party without identity; the token joins a person's calls if the token policy allows it."""

    token: str | None = member(C1, "Keyed token `u1_<kid>_<26 base32>`; null under the policy none.", default=None)


class OpenStream(StreamFacts):
    """A stream with both sides' networks, addresses cut."""

    stream_id: str | None = member(C1, "Graph's stream id.", default=None)
    caller_network: NetworkFacts | None = member(C1, "The caller's network.", default=None)
    callee_network: NetworkFacts | None = member(C1, "The callee's network.", default=None)


class OpenCall(CallFacts):
    """One call version without identities. Value of `callrecords.open.calls.v1`."""

    failure: FailureFacts | None = member(
        C0, "The first of those of the sessions that tell most, if any.", default=None
    )
    parties: list[OpenParty] = member(C1, "The parties, by index.")


class OpenSession(SessionFacts):
    """One session of one call version. Value of `callrecords.open.sessions.v1`; enough alone: it repeats its call."""

    tenant_id: str = member(C1, "The Microsoft Entra tenant, lower case.")
    call_id: str = member(C1, "Graph's id of the call record, opaque.")
    version: int = member(C0, "Graph's version of the record.")
    revision: int = member(C0, "Ringback's revision of the derivation.")
    call_type: str = member(C0, "groupCall, peerToPeer, unknown; open enumeration.")
    call_start_date_time: AwareDatetime | None = member(C0, "First join of the call, UTC.", default=None)
    session_count: int = member(C0, "Sessions of this version.", unit="sessions")
    caller: EndpointFacts | None = member(C1, "Who started the leg.", default=None)
    callee: EndpointFacts | None = member(C1, "Who was reached.", default=None)
    failure: FailureFacts | None = member(
        C0, "What tells most of the failures of the session and its segments.", default=None
    )
    streams: list[OpenStream] = member(C1, "Every stream, by segment, media and stream index.")


class SessionsCompleted(Event):
    """Says that all sessions of a version are on the topic before it, in the same partition."""

    tenant_id: str = member(C1, "The Microsoft Entra tenant, lower case.")
    call_id: str = member(C1, "Graph's id of the call record, opaque.")
    version: int = member(C0, "Graph's version of the record.")
    revision: int = member(C0, "Ringback's revision of the derivation.")
    call_type: str = member(C0, "groupCall, peerToPeer, unknown; open enumeration.")
    call_start_date_time: AwareDatetime | None = member(C0, "First join of the call, UTC.", default=None)
    session_count: int = member(C0, "Sessions of this version, the marker itself not counted.", unit="sessions")
    completed: bool = member(C0, "Always true; tells a marker from a session.")
