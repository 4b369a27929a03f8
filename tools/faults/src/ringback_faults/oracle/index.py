"""The ledgers of a row, looked up by call, by origin and by offset. Pure."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from ringback_events import topics

from ringback_faults.contract import ENRICHER, SINK
from ringback_faults.ledgers import Commit, Item, Key, Ledgers, Request, StoredVersion, TopicRecord

__all__ = [
    "ASIDES",
    "DEAD_LETTERS",
    "ENRICHER",
    "LANES",
    "RETRIES",
    "SINK",
    "Index",
    "Place",
    "index_of",
    "origin_of",
    "place_of",
    "reason_of",
    "stored_at",
]

LANES = frozenset(topic.name for topic in topics.FETCH_LANES)
RETRIES = frozenset(topic.name for topic in topics.FETCH_RETRIES)
ASIDES = frozenset(topic.name for topic in topics.FETCH_ASIDES)
DEAD_LETTERS = frozenset({topics.INTERNAL_DEAD_LETTERS.name, topics.RESTRICTED_DEAD_LETTERS.name})

Place = tuple[str, int, int]
"""(topic, partition, offset)"""

_Entry = TypeVar("_Entry")
_OK = 200


@dataclass(frozen=True, slots=True)
class Index:
    """What the invariants look up, each list in order of time.

    Attributes:
        lanes: records of the fetch lanes and their retry tiers, by call.
        published: records of restricted.records, open.sessions and open.calls, by call, without the planted ones.
        planted: records of restricted.records that the harness wrote itself.
        letters: dead letters by call; those of no call's key under (key as text, "").
        letters_of: dead letters by the record they say they are of.
        reads: answers of 200 to a request for a record, by call.
        checks: answers of 200 to a request for the version of a record alone, by call.
        history: rows of the history by call.
        commits: by (group, topic, partition).
        accepted: items of POSTs answered 2xx, forged ones left out, with the POST's beginning and end.
    """

    lanes: Mapping[Key, Sequence[TopicRecord]]
    published: Mapping[Key, Sequence[TopicRecord]]
    planted: Sequence[TopicRecord]
    letters: Mapping[Key, Sequence[TopicRecord]]
    letters_of: Mapping[Place, Sequence[TopicRecord]]
    reads: Mapping[Key, Sequence[Request]]
    checks: Mapping[Key, Sequence[Request]]
    history: Mapping[Key, Sequence[StoredVersion]]
    commits: Mapping[tuple[str, str, int], Sequence[Commit]]
    accepted: Sequence[tuple[Item, float, float]]


def index_of(ledgers: Ledgers) -> Index:
    """Sort everything once."""
    records = sorted(ledgers.records, key=lambda record: (record.at, record.topic, record.partition, record.offset))
    letters = [record for record in records if record.topic in DEAD_LETTERS]
    published = {topics.RECORDS.name, topics.SESSIONS.name, topics.CALLS.name}
    return Index(
        lanes=_grouped((_key(record), record) for record in records if record.topic in LANES),
        published=_grouped(
            (_key(record), record)
            for record in records
            if record.topic in published and place_of(record) not in ledgers.planted
        ),
        planted=[
            record for record in records if record.topic == topics.RECORDS.name and place_of(record) in ledgers.planted
        ],
        letters=_grouped((_key(letter), letter) for letter in letters),
        letters_of=_grouped((origin, letter) for letter in letters if (origin := origin_of(letter)) is not None),
        reads=_answered(ledgers, "record"),
        checks=_answered(ledgers, "versionCheck"),
        history=_grouped((row.key, row) for row in sorted(ledgers.versions, key=lambda row: row.first_stored_at)),
        commits=_grouped(((commit.group, commit.topic, commit.partition), commit) for commit in ledgers.commits),
        accepted=[
            (item, post.at, post.end)
            for post in ledgers.posts
            if post.accepted
            for item in post.items
            if item.planted != "forgedClientState"
        ],
    )


def _answered(ledgers: Ledgers, route: str) -> Mapping[Key, Sequence[Request]]:
    """The requests of a route that were answered with a version of a record, by call and in order of time."""
    answered = [
        request
        for request in ledgers.requests
        if request.route == route and request.status == _OK and request.version is not None and request.call_id
    ]
    answered.sort(key=lambda request: request.at)
    return _grouped(((request.tenant_id, request.call_id or ""), request) for request in answered)


def place_of(record: TopicRecord) -> Place:
    """Where a record stands."""
    return record.topic, record.partition, record.offset


def origin_of(letter: TopicRecord) -> Place | None:
    """Where a dead letter says its record stood; None if it does not say it."""
    reported = [letter.headers.get(f"ringback_dlq_{name}", b"").decode(errors="replace") for name in _ORIGIN]
    topic, partition, offset = reported
    return (topic, int(partition), int(offset)) if partition.isdigit() and offset.isdigit() else None


def reason_of(letter: TopicRecord) -> str:
    """Why a dead letter says it is one."""
    return letter.headers.get("ringback_dlq_reason", b"").decode(errors="replace")


_ORIGIN = ("topic", "partition", "offset")


def _key(record: TopicRecord) -> Key:
    return record.key or ("", "")


_Name = TypeVar("_Name")


def _grouped(entries: Iterable[tuple[_Name, _Entry]]) -> dict[_Name, list[_Entry]]:
    groups: defaultdict[_Name, list[_Entry]] = defaultdict(list)
    for name, entry in entries:
        groups[name].append(entry)
    return dict(groups)


def stored_at(item: Item, ledgers: Ledgers, index: Index) -> float:
    """When its version or a later one stood; the end of all work if it never did, which is I2's business."""
    rows = (row for row in index.history.get(item.key, ()) if row.version >= item.version)
    return min((row.first_stored_at for row in rows), default=ledgers.drained or ledgers.faulted)
