"""The latency of each hop, from times that three parties wrote: the sender, the broker, the database. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass

from ringback_events import topics

from ringback_faults.ledgers import Ledgers, StoredVersion
from ringback_faults.oracle.index import Index
from ringback_faults.oracle.latency import quantile

__all__ = ["Hop", "hops_of"]


@dataclass(frozen=True, slots=True)
class Hop:
    """One hop of the way, in milliseconds."""

    name: str
    samples: int
    p50: float
    p99: float


def hops_of(ledgers: Ledgers, index: Index) -> list[Hop]:
    """Every hop of a row, over its accepted POSTs and over the stored versions that were notified and published."""
    waits = {"notified → accepted": [post.end - post.at for post in ledgers.posts if post.accepted]}
    waits |= {name: [] for name in ("accepted → fetch begun", "fetch begun → published", "published → stored")}
    waits["accepted → stored"] = []
    accepted = _accepted(index)
    for row in ledgers.versions:
        if (row.key, row.version) in accepted:
            for name, seconds in _of_version(row, accepted[row.key, row.version], index):
                waits[name].append(max(0.0, seconds))
    return [_hop(name, sorted(values)) for name, values in waits.items()]


def _accepted(index: Index) -> dict[tuple[tuple[str, str], int], float]:
    """When the first notification of each version was answered 2xx."""
    first: dict[tuple[tuple[str, str], int], float] = {}
    for item, _, end in index.accepted:
        first[item.key, item.version] = min(end, first.get((item.key, item.version), end))
    return first


def _of_version(row: StoredVersion, accepted: float, index: Index) -> Iterator[tuple[str, float]]:
    stored = row.first_stored_at
    yield "accepted → stored", stored - accepted
    records = (one for one in index.published.get(row.key, ()) if one.topic == topics.RECORDS.name)
    published = min((one.at for one in records if one.version == row.version), default=None)
    if published is None:
        return
    yield "published → stored", stored - published
    begun = max((read.at for read in index.reads.get(row.key, ()) if read.at <= published), default=None)
    if begun is not None:
        yield "accepted → fetch begun", begun - accepted
        yield "fetch begun → published", published - begun


def _hop(name: str, seconds: list[float]) -> Hop:
    return Hop(name, len(seconds), 1000 * quantile(seconds, 0.5), 1000 * quantile(seconds, 0.99))
