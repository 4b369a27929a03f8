"""What Graph's JSON says of a call: the reading against which everything else is held. Pure."""

from collections.abc import Mapping
from typing import Any

import orjson

from ringback_faults.contents.people import Parties, identity_of_side, is_service
from ringback_faults.contents.values import Contents, array, digest, micros, objects, shape, text, times

__all__ = ["contents_of_graph"]

_NEVER = -(2**63)


def contents_of_graph(graph: Mapping[str, Any]) -> Contents:
    """Read a whole record as Graph served it."""
    parties, sessions = Parties(graph), sorted(objects(graph.get("sessions")), key=_order)
    sides = [tuple(_place(session.get(name), parties) for name in ("caller", "callee")) for session in sessions]
    digests = [_session(session, places, parties) for session, places in zip(sessions, sides, strict=True)]
    return Contents(
        call=digest([graph.get("type") or "unknown", *times(graph), array(graph.get("modalities"))]),
        count=len(sessions),
        kinds=tuple(one.kind for one in parties.found),
        people=digest([[one.kind, one.id] for one in parties.found]),
        sessions=dict(enumerate(digests)),
    )


def _order(session: Mapping[str, Any]) -> tuple[int, str, str, str, bytes]:
    """The order of the ordinals: start, id, caller, callee, content."""
    started = micros(session.get("startDateTime"))
    identities = [shape(shape(session.get(side)).get("associatedIdentity")) for side in ("caller", "callee")]
    caller, callee = (text(identity.get("id")) or "" for identity in identities)
    content = orjson.dumps(session, option=orjson.OPT_SORT_KEYS)
    return _NEVER if started is None else started, text(session.get("id")) or "", caller, callee, content


def _place(side: Any, parties: Parties) -> int | None:
    identity = identity_of_side(side)
    return None if identity is None else parties.place(identity)


def _session(session: Mapping[str, Any], places: tuple[int | None, ...], parties: Parties) -> str:
    segments = objects(session.get("segments"))
    caller, callee = (
        _side(session.get(name), place, parties) for name, place in zip(("caller", "callee"), places, strict=True)
    )
    streams = [
        _stream(stream, [number, place, index], media.get("label"))
        for number, segment in enumerate(segments)
        for place, media in enumerate(objects(segment.get("media")))
        for index, stream in enumerate(objects(media.get("streams")))
    ]
    head = [session.get("id"), *times(session), array(session.get("modalities")), session.get("isTest")]
    return digest([*head, len(segments), caller, callee, streams])


def _side(side: Any, place: int | None, parties: Parties) -> list[Any] | None:
    if not isinstance(side, dict):
        return None
    kind = parties.found[place].kind if place is not None else "service" if is_service(side) else "unknown"
    return [place, kind, shape(shape(side).get("userAgent")).get("applicationVersion")]


def _stream(stream: Mapping[str, Any], places: list[int], label: Any) -> list[Any]:
    figures = [stream.get(name) for name in ("streamId", "streamDirection", "packetUtilization")]
    return [*places, label, *figures, stream.get("averagePacketLossRate"), *times(stream)]
