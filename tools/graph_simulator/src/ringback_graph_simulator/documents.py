"""Encoded versions: sessions and participants as the bytes that are served, and the hashes the store is judged by."""

import hashlib
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, cast

import orjson

__all__ = ["Digest", "Document", "DocumentCache", "canonical", "child_hashes", "digest_of", "encode"]

_LINKS = ("@odata.context", "@odata.nextLink", "@odata.count", "@odata.etag", "@odata.id")


@dataclass(frozen=True, slots=True)
class Digest:
    """What one version held: counts and content hashes, small enough to keep for every version served."""

    sessions: int
    participants: int
    sessions_hash: str
    participants_hash: str


@dataclass(frozen=True, slots=True)
class Document:
    """The children of one version, encoded; `size` is their length in bytes."""

    sessions: list[bytes]
    participants: list[bytes]
    size: int


def canonical(value: Any) -> Any:
    """The same JSON value without links and contexts, which say nothing about the call."""
    if isinstance(value, dict):
        members = cast("dict[str, Any]", value)
        return {name: canonical(member) for name, member in members.items() if not name.endswith(_LINKS)}
    if isinstance(value, list):
        return [canonical(item) for item in cast("list[Any]", value)]
    return value


def child_hashes(children: Iterable[bytes]) -> list[str]:
    """Sorted hashes of canonical children."""
    return sorted(hashlib.sha256(child).hexdigest()[:32] for child in children)


def digest_of(document: Document) -> Digest:
    """Counts and combined hashes; the children are canonical already."""
    combined = [
        hashlib.sha256("\n".join(child_hashes(children)).encode()).hexdigest()[:32]
        for children in (document.sessions, document.participants)
    ]
    return Digest(len(document.sessions), len(document.participants), *combined)


def encode(sessions: Iterable[dict[str, Any]], participants: Iterable[dict[str, Any]]) -> Document:
    """Children in canonical form: keys sorted, no link members."""
    first = [orjson.dumps(session, option=orjson.OPT_SORT_KEYS) for session in sessions]
    second = [orjson.dumps(participant, option=orjson.OPT_SORT_KEYS) for participant in participants]
    return Document(first, second, sum(map(len, first)) + sum(map(len, second)))


class DocumentCache:
    """The versions served lately, bounded in bytes: what falls out is generated again from its plan."""

    def __init__(self, limit: int = 32 << 20) -> None:
        self._limit = limit
        self._size = 0
        self._held: OrderedDict[tuple[str, str, int], Document] = OrderedDict()

    def get(self, key: tuple[str, str, int]) -> Document | None:
        """The document, now the youngest, or None."""
        document = self._held.get(key)
        if document is not None:
            self._held.move_to_end(key)
        return document

    def put(self, key: tuple[str, str, int], document: Document) -> None:
        """Keep it; the oldest leave until the limit holds."""
        self._held[key] = document
        self._size += document.size
        while self._size > self._limit and len(self._held) > 1:
            _, oldest = self._held.popitem(last=False)
            self._size -= oldest.size

    def forget(self, call: tuple[str, str]) -> None:
        """Drop every version of a call that is made anew."""
        for key in [key for key in self._held if key[:2] == call]:
            self._size -= self._held.pop(key).size
