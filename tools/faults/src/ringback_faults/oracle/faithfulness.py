"""I13, by content: what stands in a record, an open event and a row is what Graph's JSON of that version says. Pure.

Graph's JSON is read by the judge's own rules, and I13 holds it against what the simulator served.
"""

from collections.abc import Iterator, Mapping

from ringback_events import topics

from ringback_faults.ledgers import Contents, Ledgers, TopicRecord
from ringback_faults.oracle.index import Index

__all__ = ["unfaithful_events", "unfaithful_rows"]

_Version = tuple[int | None, int | None]


def unfaithful_events(ledgers: Ledgers, index: Index) -> Iterator[str]:
    """A sentence for each record, session and call on a topic that says something else than its version's JSON."""
    for key, published in index.published.items():
        if key not in ledgers.expected:
            continue
        sources: Mapping[_Version, Contents] = {
            (record.version, record.revision): record.source for record in published if record.source is not None
        }
        for record in published:
            source = sources.get((record.version, record.revision))
            if source is not None and record.contents is not None:
                yield from (f"{record.place} of {key[1]}: {fault}" for fault in _faults(record, source))


def unfaithful_rows(ledgers: Ledgers) -> Iterator[str]:
    """A sentence for each stored call whose rows say something else than its document."""
    for key, stored in ledgers.calls.items():
        if key in ledgers.expected:
            for fault in _differences(stored.contents, stored.source):
                yield f"the rows of {key[1]} version {stored.version}: {fault}"


def _faults(record: TopicRecord, source: Contents) -> Iterator[str]:
    said = record.contents or Contents()
    if record.topic == topics.RECORDS.name:
        yield from _differences(said, source)
    elif record.topic == topics.CALLS.name:
        yield from _of_the_call(said, source)
    else:
        yield from _count(said, source)
        yield from _sessions(said, source)


def _differences(said: Contents, source: Contents) -> Iterator[str]:
    """Of a whole version: nothing may be missing, and nothing may be there beside."""
    yield from _of_the_call(said, source)
    if said.kinds == source.kinds and said.people != source.people:
        yield "the parties are of the right kinds, but others than in Graph's JSON"
    yield from _sessions(said, source)
    if missing := sorted(source.sessions.keys() - said.sessions.keys()):
        yield f"sessions {missing[:5]} are missing"


def _of_the_call(said: Contents, source: Contents) -> Iterator[str]:
    yield from _count(said, source)
    if said.call != source.call:
        yield "type, start, end or modalities are not those of Graph's JSON"
    if said.kinds != source.kinds:
        yield f"{len(said.kinds)} parties, in Graph's JSON {len(source.kinds)}, or of other kinds"


def _count(said: Contents, source: Contents) -> Iterator[str]:
    if said.count != source.count:
        yield f"says {said.count} sessions, in Graph's JSON there are {source.count}"


def _sessions(said: Contents, source: Contents) -> Iterator[str]:
    for ordinal, digest in said.sessions.items():
        if source.sessions.get(ordinal) != digest:
            yield f"session {ordinal} is not that of Graph's JSON"
