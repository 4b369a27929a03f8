"""Ledgers written by hand: the story of one call that went well, for tests to spoil."""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import pytest
from ringback_events import topics
from ringback_faults.contract import call_key, partition_of
from ringback_faults.ledgers import (
    Act,
    Children,
    Commit,
    Contents,
    Expected,
    Generation,
    Item,
    Key,
    Ledgers,
    Post,
    Request,
    Sample,
    StoredCall,
    StoredVersion,
    TopicRecord,
    Write,
)
from ringback_faults.oracle import check
from ringback_faults.oracle.index import ENRICHER, SINK
from ringback_faults.report import Verdict
from ringback_faults.row import Expect

TENANT = "11111111-2222-3333-4444-555555555555"
KEY: Key = (TENANT, "aaaaaaaa-0000-0000-0000-000000000001")
FETCH, RETRY, DLQ = topics.FETCH.name, topics.FETCH_RETRY_2M.name, topics.INTERNAL_DEAD_LETTERS.name
RECORDS, SESSIONS, CALLS = topics.RECORDS.name, topics.SESSIONS.name, topics.CALLS.name
WHOLE = Children(1, 2, "s1", "p1")
SAID = Contents("call", 1, ("user", "phone"), "people", {0: "first"})
OPEN: dict[str, Contents] = {
    RECORDS: SAID,
    CALLS: replace(SAID, people="", sessions={}),
    SESSIONS: Contents(count=1, sessions={0: "first"}),
}
MARKER = Contents(count=1)


def children(version: int) -> Children:
    """What a version consists of."""
    return replace(WHOLE, sessions_hash=f"s{version}", participants_hash=f"p{version}")


class Story:
    """Lists that become ledgers; whatever is added later comes later in its partition."""

    def __init__(self) -> None:
        self.posts: list[Post] = []
        self.requests: list[Request] = []
        self.records: list[TopicRecord] = []
        self.commits: list[Commit] = []
        self.generations: list[Generation] = []
        self.calls: dict[Key, StoredCall] = {}
        self.versions: list[StoredVersion] = []
        self.writes: list[Write] = []
        self.samples: list[Sample] = []
        self.acts: list[Act] = []
        self.expected: dict[Key, Expected] = {}
        self.planted: dict[tuple[str, int, int], str] = {}
        self.removed: frozenset[tuple[str, int, int]] = frozenset()
        self.drained: float | None = 110.0
        self.leaks: tuple[str, ...] = ()

    def notified(
        self, at: float, version: int = 1, *, status: int | None = 202, took: float = 0.02, **item: Any
    ) -> None:
        """A POST with one item; what Graph holds of the call rises to that version."""
        entry = Item(f"i{len(self.posts)}", KEY, version, **item)
        self.posts.append(Post(at, at + took, 1, status, (entry,)))
        known = self.expected.get(KEY, Expected({}, frozenset(), {}))
        self.expected[KEY] = replace(known, versions={**known.versions, version: children(version)})

    def asked(self, at: float, *, topic: str = FETCH, value: bytes = b"{}", **headers: bytes) -> TopicRecord:
        """A fetch request on a lane."""
        identity = {"ce_source": b"/fetch", "ce_id": KEY[1].encode() + b":webhook:now"}
        return self.put(topic, at, value, {**identity, **headers})

    def read(self, at: float, version: int | None = 1, *, took: float = 0.03, **facts: Any) -> None:
        """Graph answers a request for the whole record."""
        line = Request(
            at,
            at + took,
            TENANT,
            "record",
            KEY[1],
            1,
            version,
            200,
            inside_retry_after=False,
            over_budget=None,
            fault=None,
        )
        self.requests.append(replace(line, **facts))
        if line.route == "record" and version is not None and not facts.get("status"):
            known = self.expected[KEY]
            self.expected[KEY] = replace(known, served=frozenset({*known.served, version}))

    def published(self, at: float, version: int = 1, **changed: Any) -> None:
        """A version on its three topics, 1 ms apart."""
        facts = {"version": version, "revision": 1}
        names = ((RECORDS, ""), (SESSIONS, ":0"), (SESSIONS, ":completed"), (CALLS, ""))
        for place, (name, suffix) in enumerate(names):
            reported = {
                "ce_source": name.encode(),
                "ce_id": f"{KEY[1]}:{version}:1{suffix}".encode(),
                "ce_tenantid": TENANT.encode(),
                "ce_subject": KEY[1].encode(),
            }
            said = {"contents": MARKER if suffix == ":completed" else OPEN[name]}
            whole = {"children": children(version), "marks": frozenset({version}), "source": SAID}
            said |= whole if name == RECORDS else {}
            self.put(name, at + place / 1000, f"{name}{version}".encode(), reported, **{**facts, **said, **changed})

    def stored(self, at: float, version: int = 1) -> None:
        """A version in the store, newest or not."""
        self.versions.append(StoredVersion(KEY, version, 1, at))
        held = self.calls.get(KEY)
        if held is None or held.version < version:
            before = None if held is None else (held.version, 1)
            self.writes.append(Write(at, KEY, before, (version, 1)))
            self.calls[KEY] = StoredCall(
                KEY, version, 1, children(version), SAID, SAID, surplus=0, rows_version=frozenset({version})
            )

    def committed(self, at: float) -> None:
        """Both groups commit up to the end of every partition."""
        ends = {(record.topic, record.partition): record.offset + 1 for record in self.records}
        for (topic, partition), offset in ends.items():
            group = SINK if topic == RECORDS else ENRICHER
            self.commits.append(Commit(at, group, topic, partition, offset))

    def refused(self, at: float, of: TopicRecord, reason: str, **changed: Any) -> None:
        """The dead letter of a record."""
        reported = (
            ("topic", of.topic), ("partition", str(of.partition)), ("offset", str(of.offset)),
            ("timestamp", str(round(of.at * 1000))), ("service", "fetch"), ("reason", reason), ("error_class", "x"),
            ("fingerprint", "f"), ("attempts", "1"),
        )  # fmt: skip
        ours = {f"ringback_dlq_{name}": value.encode() for name, value in reported}
        letter = self.put(DLQ, at, b"", {**of.headers, **ours})
        self.records[-1] = replace(letter, **{"digest": of.digest, "raw_key": of.raw_key, "key": of.key, **changed})

    def put(self, topic: str, at: float, value: bytes, headers: Mapping[str, bytes], **facts: Any) -> TopicRecord:
        """Any record under the call's key."""
        raw = call_key(*KEY)
        partition = partition_of(topic, raw)
        offset = sum(record.topic == topic for record in self.records)
        identity = headers.get("ce_source", b"") + b" " + headers.get("ce_id", b"")
        digest = hashlib.sha256(value).digest()
        record = TopicRecord(
            topic, partition, offset, at, identity, digest, len(value), KEY, raw, None, None, headers
        )  # fmt: skip
        self.records.append(replace(record, **facts))
        return self.records[-1]

    def ledgers(self) -> Ledgers:
        """What the oracle is given; the load began at 99, the last fault was over at 105."""
        return Ledgers(
            started=99.0, faulted=105.0, drained=self.drained, posts=tuple(self.posts), requests=tuple(self.requests),
            expected=self.expected, records=tuple(self.records), commits=tuple(self.commits),
            generations=tuple(self.generations), starts={}, calls=self.calls, versions=tuple(self.versions),
            writes=tuple(self.writes), samples=tuple(self.samples), acts=tuple(self.acts), planted=self.planted,
            removed=self.removed, leaks=self.leaks,
        )  # fmt: skip

    def verdict(self, judged: tuple[str, ...] = (), **expect: Any) -> Verdict:
        """The oracle's word on it."""
        return check(self.ledgers(), Expect.model_validate({"evidence": {"posts": 1}, **expect}), judged)

    def broken(self, **expect: Any) -> set[str]:
        """The invariants that are broken."""
        return {name for name, count in self.verdict(**expect).anomalies.items() if count}


@pytest.fixture
def story() -> Story:
    """One call, notified once, fetched, published, stored and committed."""
    reported = Story()
    reported.notified(100.0)
    reported.asked(100.01)
    reported.read(100.05)
    reported.published(100.1)
    reported.stored(100.2)
    reported.committed(100.3)
    return reported


@pytest.fixture
def replaced() -> Callable[[list[Any], int, dict[str, Any]], None]:
    """Change one entry of a list of values."""

    def change(entries: list[Any], place: int, facts: dict[str, Any]) -> None:
        entries[place] = replace(entries[place], **facts)

    return change
