"""From a batch of versions, in any order and with repeats, to what one transaction writes."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date

from ringback_sink.store.model.version import CallKey
from ringback_sink.store.postgres.rows import Entry

__all__ = ["Plan", "plan"]


@dataclass(frozen=True, slots=True)
class Plan:
    """What a transaction writes: the newest revision of every version, sorted so that transactions never deadlock.

    Attributes:
        versions: one entry per (call, version), sorted.
        newest: the entry that is the call's newest, per call.
    """

    versions: tuple[Entry, ...]
    newest: dict[CallKey, Entry]

    def incoming(self) -> Iterator[bytes]:
        """The lines of the incoming calls, in pieces."""
        for entry in self.versions:
            yield from entry.call_line(newest=entry is self.newest[entry.key])

    def months(self) -> frozenset[date]:
        """The months whose partitions the children need."""
        return frozenset(entry.month for entry in self.newest.values())

    def child_lines(self, table: str, winners: Mapping[CallKey, int]) -> Iterator[bytes]:
        """The lines of a child table, in a piece for each call whose upsert took effect.

        Args:
            table: of `CHILDREN`.
            winners: these calls with their numbers in the store.
        """
        for key, call_key in winners.items():
            yield self.newest[key].child_lines(table, call_key)


def plan(entries: Iterable[Entry]) -> Plan:
    """Keep the newest revision of each version, and know each call's newest; the order of arrival does not matter.

    Within one (version, revision) the content is the same by contract, and the first that came is kept.
    """
    versions: dict[tuple[CallKey, int], Entry] = {}
    for entry in entries:
        version, revision = entry.rank
        known = versions.get((entry.key, version))
        if known is None or revision > known.rank[1]:
            versions[entry.key, version] = entry
    ordered = tuple(versions[identity] for identity in sorted(versions))
    return Plan(ordered, {entry.key: entry for entry in ordered})
