"""What a record without its list of participants can still say of who took part; and what it lacks by Graph's doing."""

from collections.abc import Mapping
from typing import Any, cast

from ringback_graph.parse.identities import Kind, endpoint_identity, is_service
from ringback_graph.parse.spellings import is_nobody

__all__ = ["lacks_participants", "lacks_sessions", "needs_participants"]

_TWO_PEOPLE, _PARTICIPANTS = "peerToPeer", "participants_v2"
_NO_ROLES = frozenset({None, "", "unknown", "unknownFutureValue"})
_OPEN_KINDS = frozenset({Kind.UNKNOWN, Kind.SERVICE})


def lacks_sessions(record: Mapping[str, Any]) -> bool:
    """Whether a peer-to-peer call has no session, although its two people had one.

    Graph has served such calls (msgraph-sdk-powershell 3598, 2026-04). Of other calls nothing says that there was one.
    """
    return record.get("type") == _TWO_PEOPLE and not _sessions(record)


def needs_participants(record: Mapping[str, Any]) -> bool:
    """Whether only `participants_v2` tells who took part.

    A peer-to-peer call has two people, and both are sides of its session (Graph's session resource). So it needs no
    list, unless there is no session, or one of the sides does not tell who it is.
    """
    if record.get("type") != _TWO_PEOPLE or lacks_sessions(record):
        return True
    sides = (session.get(side) for session in _sessions(record) for side in ("caller", "callee"))
    return not all(_tells_who(side) for side in sides)


def lacks_participants(record: Mapping[str, Any]) -> bool:
    """Whether a whole record has no `participants_v2` though only that tells who took part: this Graph has none."""
    return _PARTICIPANTS not in record and needs_participants(record)


def _tells_who(endpoint: object) -> bool:
    """Whether an endpoint names one party and its kind: an id of its own, and no user behind a service of no role.

    There a user's id may be the account of an attendant or a queue (Graph: serviceEndpoint), which the list tells.
    """
    found = endpoint_identity(endpoint)
    name = None if found is None else found.phone or found.id
    if found is None or name is None or is_nobody(name) or found.kind in _OPEN_KINDS:
        return False
    return found.kind is not Kind.USER or not is_service(endpoint) or _role(endpoint) not in _NO_ROLES


def _role(endpoint: object) -> str | None:
    agent = cast("dict[str, object]", endpoint).get("userAgent")
    role = cast("dict[str, object]", agent).get("role") if isinstance(agent, dict) else None
    return role if isinstance(role, str) else None


def _sessions(record: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The sessions, as the derivation reads them: whatever is no object is none."""
    value = record.get("sessions")
    return [each for each in cast("list[Any]", value) if isinstance(each, dict)] if isinstance(value, list) else []
