"""Connections that have sent nothing genuine yet: which of them goes when there are too many."""

from collections import defaultdict
from typing import Generic, TypeVar

__all__ = ["UnprovenConnections"]

_Connection = TypeVar("_Connection")


class UnprovenConnections(Generic[_Connection]):
    """Knows them by peer, in the order in which they came."""

    def __init__(self) -> None:
        self._peers: dict[_Connection, str] = {}
        self._of_peer: defaultdict[str, dict[_Connection, None]] = defaultdict(dict)

    def add(self, connection: _Connection, peer: str) -> None:
        """A connection was opened."""
        self._peers[connection] = peer
        self._of_peer[peer][connection] = None

    def remove(self, connection: _Connection) -> None:
        """It has sent something genuine, or is closed; nothing happens if it is not here."""
        if (peer := self._peers.pop(connection, None)) is None:
            return
        del self._of_peer[peer][connection]
        if not self._of_peer[peer]:
            del self._of_peer[peer]

    def count(self, peer: str) -> int:
        """How many a peer has."""
        return len(self._of_peer.get(peer, ()))

    def oldest(self, peer: str | None = None) -> _Connection | None:
        """The one that has had the most time to prove itself, of a peer or of all."""
        return next(iter(self._peers if peer is None else self._of_peer.get(peer, ())), None)
