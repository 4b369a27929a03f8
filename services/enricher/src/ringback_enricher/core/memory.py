"""What was published lately: spares a live request the re-publication of a version everybody has."""

from collections import OrderedDict
from collections.abc import Sequence
from typing import NamedTuple

from ringback_enricher.core.requests import Request

__all__ = ["Published"]

_Version = tuple[int, int]
_Position = tuple[str, int, int]


class _Entry(NamedTuple):
    version: _Version
    asked_by: frozenset[_Position]


def _positions(requests: Sequence[Request]) -> frozenset[_Position]:
    return frozenset((each.received.topic, each.received.partition, each.received.offset) for each in requests)


class Published:
    """The newest (version, revision) of each of the last calls, bounded.

    An entry is written when a publication is decided, which is before it is acked. It is believed only by later
    requests: the runtime works on one key at a time and finishes a request only when all is acked, so a request that
    comes a second time proves that its publication failed.
    """

    def __init__(self, most: int) -> None:
        """Take the number of calls to remember; an entry takes some 400 bytes."""
        self._most = most
        self._entries: OrderedDict[bytes, _Entry] = OrderedDict()

    def spares(self, key: bytes, requests: Sequence[Request], version: _Version) -> bool:
        """Whether these requests need no publication of this version of their call."""
        entry = self._entries.get(key)
        if entry is None or entry.version < version or not all(request.is_live for request in requests):
            return False
        return entry.asked_by.isdisjoint(_positions(requests))

    def holds(self, key: bytes, version: _Version) -> bool:
        """Whether this very version was published before, so that it now is a re-publication."""
        entry = self._entries.get(key)
        return entry is not None and entry.version == version

    def remember(self, key: bytes, requests: Sequence[Request], version: _Version) -> None:
        """Note that this version is about to be published for these requests; the newest version stays."""
        entry = self._entries.pop(key, None)
        newest = version if entry is None or entry.version < version else entry.version
        self._entries[key] = _Entry(newest, _positions(requests))
        if len(self._entries) > self._most:
            self._entries.popitem(last=False)

    def forget(self, key: bytes) -> None:
        """The publication was given up; the next request publishes again."""
        self._entries.pop(key, None)
