"""I13: a version is whole or it is not there: every session of it, of a group call every participant, and of no other.

Pure.
"""

from collections.abc import Iterable, Iterator
from math import inf

from ringback_events import topics

from ringback_faults.ledgers import Children, Expected, Key, Ledgers, TopicRecord
from ringback_faults.oracle.index import Index, reason_of

__all__ = ["cut_calls", "cut_events", "cut_records"]

_TOO_LARGE = "too_large"


def cut_records(ledgers: Ledgers) -> Iterator[str]:
    """A sentence for each published record that is not what Graph served as its version."""
    for record in ledgers.records:
        if record.topic != topics.RECORDS.name or (record.topic, record.partition, record.offset) in ledgers.planted:
            continue
        place = record.place
        if not _is_as_served(record.key, record.version, record.children, ledgers):
            yield f"{place}: version {record.version} is not what Graph served"
        if record.marks - {record.version}:
            yield f"{place}: version {record.version} holds parts of {sorted(record.marks)}"


def cut_calls(ledgers: Ledgers) -> Iterator[str]:
    """A sentence for each stored call that is not what Graph served, or whose rows are of several versions."""
    for key, stored in ledgers.calls.items():
        if key not in ledgers.expected:
            continue
        if not _is_as_served(key, stored.version, stored.children, ledgers):
            yield f"{key[1]} is stored as version {stored.version}, but not as Graph served it"
        if stored.rows_version - {stored.version}:
            yield f"rows of {key[1]} version {stored.version} belong to {sorted(stored.rows_version)}"


def cut_events(ledgers: Ledgers, index: Index) -> Iterator[str]:
    """A sentence for each version whose `completed` marker or open call stands before what it says is all there.

    All its sessions stand before the marker, the marker before the open call. The newest version of a call that drained
    must have both; unless its publication broke off where the broker refused a message for its size, which a dead
    letter tells (and I6 judges).
    """
    for key, published in index.published.items():
        newest = max((record.version or 0 for record in published if record.topic == topics.RECORDS.name), default=0)
        for version, events in _by_version(published).items():
            yield from _cut(key, version[0], events, ledgers)
            yield from _early_call(key, version[0], events)
            drained = ledgers.drained is not None and key in ledgers.expected
            if version[0] == newest and drained and not _broken_off(events, index.letters.get(key, ())):
                yield from _unannounced(key, version[0], events)


def _by_version(published: Iterable[TopicRecord]) -> dict[tuple[int, int], list[TopicRecord]]:
    versions: dict[tuple[int, int], list[TopicRecord]] = {}
    for record in published:
        if record.version is not None:
            versions.setdefault((record.version, record.revision or 0), []).append(record)
    return versions


def _broken_off(events: Iterable[TopicRecord], letters: Iterable[TopicRecord]) -> bool:
    begun = min((event.at for event in events if event.topic == topics.RECORDS.name), default=0.0)
    return any(letter.at >= begun for letter in letters if reason_of(letter) == _TOO_LARGE)


def _cut(key: Key, version: int, events: list[TopicRecord], ledgers: Ledgers) -> Iterator[str]:
    markers = [event for event in events if _is_marker(event)]
    served = _served(key, version, ledgers)
    if not markers or served is None:
        return
    first = min(markers, key=lambda event: event.offset)
    before = {
        event.event_id
        for event in events
        if event.topic == topics.SESSIONS.name and event.offset < first.offset and not _is_marker(event)
    }
    if len(before) != served.sessions:
        yield f"{len(before)} sessions of {key[1]} version {version} before its marker, Graph served {served.sessions}"


def _early_call(key: Key, version: int, events: list[TopicRecord]) -> Iterator[str]:
    """By the broker's times: two topics have no common offsets, and the marker is acknowledged before the call goes."""
    complete = min((event.at for event in events if _is_marker(event)), default=inf)
    announced = min((event.at for event in events if event.topic == topics.CALLS.name), default=inf)
    if announced < complete:
        yield f"the open call of {key[1]} version {version} stands before its completed marker"


def _unannounced(key: Key, version: int, events: list[TopicRecord]) -> Iterator[str]:
    if not any(_is_marker(event) for event in events):
        yield f"version {version} of {key[1]} has no completed marker"
    if not any(event.topic == topics.CALLS.name for event in events):
        yield f"version {version} of {key[1]} has no open call"


def _is_marker(event: TopicRecord) -> bool:
    return event.topic == topics.SESSIONS.name and (event.event_id or b"").endswith(b":completed")


def _is_as_served(key: Key | None, version: int | None, held: Children | None, ledgers: Ledgers) -> bool:
    call = ledgers.expected.get(key or ("", ""))
    return held is None if call is None else held is not None and _is_whole(call, version or 0, held)


def _is_whole(call: Expected, version: int, held: Children) -> bool:
    """Whether these are all sessions and participants of a version.

    Those of a peer-to-peer call are the sides of its session; its list of participants is there whole, or not at all.
    """
    served = call.versions.get(version)
    if served is not None and not call.is_group and held.participants == 0:
        return (held.sessions, held.sessions_hash) == (served.sessions, served.sessions_hash)
    return held == served


def _served(key: Key | None, version: int | None, ledgers: Ledgers) -> Children | None:
    expected = ledgers.expected.get(key or ("", ""))
    return expected.versions.get(version or 0) if expected is not None else None
