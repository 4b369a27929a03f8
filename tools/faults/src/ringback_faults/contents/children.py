"""Content hashes of a record's children, by the simulator's documented rule. Pure."""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, cast

import orjson

__all__ = ["Children", "children_of"]

IGNORED = ("@odata.context", "@odata.nextLink", "@odata.count", "@odata.etag", "@odata.id")
"""Links and annotations that Graph adds to a page; `@odata.type` is content and stays."""


@dataclass(frozen=True, slots=True)
class Children:
    """What a version of a call consists of: counts, and content hashes over all of them."""

    sessions: int
    participants: int
    sessions_hash: str
    participants_hash: str


def children_of(record: Mapping[str, Any]) -> Children:
    """Counts and hashes of the sessions and participants of a record."""
    sessions = _hashes(record.get("sessions") or ())
    participants = _hashes(record.get("participants_v2") or ())
    return Children(len(sessions), len(participants), _joined(sessions), _joined(participants))


def _hashes(children: Iterable[Any]) -> list[str]:
    return sorted(_digest(orjson.dumps(_stripped(child), option=orjson.OPT_SORT_KEYS)) for child in children)


def _joined(hashes: list[str]) -> str:
    return _digest("\n".join(hashes).encode())


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:32]


def _stripped(value: Any) -> Any:
    if isinstance(value, dict):
        members = cast("dict[str, Any]", value)
        return {name: _stripped(member) for name, member in members.items() if not name.endswith(IGNORED)}
    if isinstance(value, list):
        return [_stripped(member) for member in cast("list[Any]", value)]
    return value
