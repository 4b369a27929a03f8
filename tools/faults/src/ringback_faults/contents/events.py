"""What the restricted record's derived members and the open events say, as the contract describes them. Pure."""

from collections.abc import Mapping
from typing import Any

from ringback_faults.contents.values import Contents, array, digest, objects, shape, times, whole

__all__ = ["contents_of_call", "contents_of_record", "contents_of_session"]


def contents_of_record(record: Mapping[str, Any]) -> Contents:
    """Of a restricted record without its `graph`."""
    parties = _by_index(record)
    return Contents(
        call=_call(record),
        count=whole(record.get("sessionCount")),
        kinds=tuple(str(party.get("kind")) for party in parties),
        people=digest([[party.get("kind"), party.get("id")] for party in parties]),
        sessions={whole(session.get("ordinal")): _session(session) for session in objects(record.get("sessions"))},
    )


def contents_of_call(event: Mapping[str, Any]) -> Contents:
    """Of an event of open.calls: the parties have no ids, the sessions are events of their own."""
    kinds = tuple(str(party.get("kind")) for party in _by_index(event))
    return Contents(call=_call(event), count=whole(event.get("sessionCount")), kinds=kinds)


def contents_of_session(event: Mapping[str, Any]) -> Contents:
    """Of an event of open.sessions; the marker has no ordinal and says the count only."""
    sessions = {whole(event["ordinal"]): _session(event)} if "ordinal" in event else dict[int, str]()
    return Contents(count=whole(event.get("sessionCount")), sessions=sessions)


def _by_index(event: Mapping[str, Any]) -> list[dict[str, Any]]:
    return sorted(objects(event.get("parties")), key=lambda party: whole(party.get("index")))


def _call(event: Mapping[str, Any]) -> str:
    return digest([event.get("type"), *times(event), array(event.get("modalities"))])


def _session(session: Mapping[str, Any]) -> str:
    head = [session.get("sessionId"), *times(session), array(session.get("modalities")), session.get("isTest")]
    sides = [_side(session.get(name)) for name in ("caller", "callee")]
    streams = [_stream(one) for one in objects(session.get("streams"))]
    return digest([*head, session.get("segmentCount"), *sides, streams])


def _side(side: Any) -> list[Any] | None:
    endpoint = shape(side)
    return [endpoint.get("party"), endpoint.get("kind"), endpoint.get("applicationVersion")] if endpoint else None


def _stream(stream: Mapping[str, Any]) -> list[Any]:
    names = ("segmentIndex", "mediaIndex", "streamIndex", "label", "streamId", "direction", "packetUtilization")
    return [*(stream.get(name) for name in names), stream.get("averagePacketLossRate"), *times(stream)]
