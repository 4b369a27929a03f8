"""What one partition of the records topic holds of each call, and which of it another revision is to be made of.

Held for a whole partition at a time, so an entry is few bytes: a digest in place of the key, numbers in columns. It
takes less than 200 bytes (tests/test_rederivation.py measures it): the largest tenants' 14 million calls of 14 days are
583,000 in each of 24 partitions, 110 MB, and 210 MiB with the process and the plan at its peak.
"""

from array import array
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b

from ringback_common.outcomes import Received

__all__ = ["Inventory", "RecordPosition", "RederivationPlan", "Selection"]

_DIGEST_BYTES = 16
"""128 bits: two of 2**24 calls meet with a chance of 2**-81, and a call that met another would be passed over."""


@dataclass(frozen=True, slots=True)
class RecordPosition:
    """Where a version lies in its partition.

    Attributes:
        offset: of the record.
        timestamp_ms: when the broker appended it.
        octets: of its value.
    """

    offset: int
    timestamp_ms: int
    octets: int


@dataclass(frozen=True, slots=True)
class RederivationPlan:
    """What is to be published anew of one partition.

    Attributes:
        calls: how many calls (with their history: versions of calls) the partition holds.
        offsets: of the records to derive from, ascending.
        octets: of their values.
        by_revision: how many of them carry which revision now; this release's own are those whose open call is missing.
        ahead: how many calls carry a greater revision than this release's, which are left alone.
    """

    calls: int
    offsets: Sequence[int]
    octets: int
    by_revision: Counter[int]
    ahead: int


class Inventory:
    """The newest (version, revision) of each call of one partition.

    Args:
        revision: this release's; what is below it is to be derived again.
        history: each version of a call on its own, so that older ones are planned, too.
    """

    def __init__(self, revision: int, *, history: bool = False) -> None:
        self._revision = revision
        self._history = history
        self._slots: dict[bytes, int] = {}
        self._versions, self._revisions, self._offsets, self._bytes = (array("q") for _ in range(4))
        self._opened = bytearray()
        self.opened_since_ms: int | None = None
        """When the first version of this release's revision was appended; its open call cannot be older."""

    def note(self, key: bytes, version: int, revision: int, place: RecordPosition) -> None:
        """Note a record; of equal ones the later counts, which is kept longer."""
        if revision == self._revision:
            known_since = self.opened_since_ms
            self.opened_since_ms = place.timestamp_ms if known_since is None else min(known_since, place.timestamp_ms)
        slot = self._slots.setdefault(self._identity(key, version), len(self._versions))
        if slot == len(self._versions):
            for column in (self._versions, self._revisions, self._offsets, self._bytes, self._opened):
                column.append(0)
        elif (version, revision) < (self._versions[slot], self._revisions[slot]):
            return
        self._versions[slot], self._revisions[slot] = version, revision
        self._offsets[slot], self._bytes[slot] = place.offset, place.octets

    def note_opened(self, key: bytes, version: int, revision: int) -> None:
        """Note an open call, which is published last: that version is complete on every topic."""
        slot = self._slots.get(self._identity(key, version))
        if slot is not None and (version, revision) == (self._versions[slot], self._revisions[slot]):
            self._opened[slot] = 1

    def plan(self) -> RederivationPlan:
        """What is below this release's revision, or carries it and was not published to the end."""
        wanted = [slot for slot, revision in enumerate(self._revisions) if self._is_wanted(slot, revision)]
        return RederivationPlan(
            calls=len(self._versions),
            offsets=array("q", sorted(self._offsets[slot] for slot in wanted)),
            octets=sum(self._bytes[slot] for slot in wanted),
            by_revision=Counter(self._revisions[slot] for slot in wanted),
            ahead=sum(revision > self._revision for revision in self._revisions),
        )

    def _is_wanted(self, slot: int, revision: int) -> bool:
        return revision < self._revision or (revision == self._revision and not self._opened[slot])

    def _identity(self, key: bytes, version: int) -> bytes:
        identity = b"%b|%d" % (key, version) if self._history else key
        return blake2b(identity, digest_size=_DIGEST_BYTES).digest()


class Selection:
    """Picks the planned records out of those that are read, in one walk."""

    def __init__(self, offsets: Sequence[int]) -> None:
        """Take the planned offsets, ascending."""
        self._offsets = offsets
        self._next = 0
        self.gone = 0
        """Planned, and removed by retention before it was read."""

    def of(self, records: Sequence[Received]) -> list[Received]:
        """The planned ones of the records that follow those given before."""
        return [record for record in records if self._takes(record.offset)]

    def finish(self) -> None:
        """Nothing more is read: what is still planned is gone."""
        self.gone += len(self._offsets) - self._next
        self._next = len(self._offsets)

    def _takes(self, offset: int) -> bool:
        while self._next < len(self._offsets) and self._offsets[self._next] < offset:
            self._next += 1
            self.gone += 1
        if self._next == len(self._offsets) or self._offsets[self._next] != offset:
            return False
        self._next += 1
        return True
