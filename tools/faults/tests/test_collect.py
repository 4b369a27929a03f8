"""What is read is what was written: offsets, records without their payload, the simulator's lines, gauges, secrets."""

import struct
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from ringback_events import topics
from ringback_faults.collect.group_offsets import MARK, decode
from ringback_faults.collect.leaks import leaks_since, log_sizes, secrets_of
from ringback_faults.collect.sampling import gauges_in
from ringback_faults.collect.simulator_ledger import lines_since, odd_of, post_of, request_of, subscribed_of
from ringback_faults.collect.topic_dump import topic_record
from ringback_faults.contents import children_of
from ringback_faults.ledgers import Commit, Generation, Item, Sample, SentOdd, Subscribed
from ringback_faults.oracle.bounds import tells_keys


def _text(value: str) -> bytes:
    return struct.pack(">h", len(value.encode())) + value.encode()


def _compact(value: str) -> bytes:
    return bytes([len(value) + 1]) + value.encode()


@given(st.integers(0, 4), st.integers(0, 2**62), st.integers(0, 1), st.text(max_size=40))
def test_an_offset_is_read_in_every_version(version: int, offset: int, key_version: int, topic: str) -> None:
    """The offset stands first in each version of the value; what follows differs and is not needed."""
    key = struct.pack(">h", key_version) + _text("group") + _text(topic) + struct.pack(">i", 7)
    value = struct.pack(">hq", version, offset) + b"whatever follows"
    assert decode(key, value, 5.0) == Commit(5.0, "group", topic, 7, offset)


@pytest.mark.parametrize(("metadata", "kept"), [(MARK, False), ("", True), ("another", True)])
def test_an_offset_that_the_harness_set_is_no_commit(metadata: str, kept: bool) -> None:  # noqa: FBT001 - pytest names it
    """It is known by its metadata, which services leave empty."""
    key = struct.pack(">h", 1) + _text("group") + _text("topic") + struct.pack(">i", 7)
    value = struct.pack(">hqi", 3, 9, -1) + _text(metadata) + struct.pack(">q", 1)
    assert (decode(key, value, 5.0) is not None) is kept


@pytest.mark.parametrize("version", range(5))
def test_a_generation_is_read_in_every_version(version: int) -> None:
    """Strings are compact from 4 on, a timestamp comes with 2."""
    text = _compact if version >= 4 else _text
    value = struct.pack(">h", version) + text("consumer") + struct.pack(">i", 9) + text("range") + text("leader")
    value += struct.pack(">q", 1) if version >= 2 else b""
    value += bytes([3]) if version >= 4 else struct.pack(">i", 2)
    assert decode(struct.pack(">h", 2) + _text("group"), value, 5.0) == Generation(5.0, "group", 9, 2)


def test_a_group_without_members_has_null_names() -> None:
    """An empty group's protocol and leader are null."""
    value = struct.pack(">h", 3) + _text("consumer") + struct.pack(">ihhqi", 4, -1, -1, 1, 0)
    assert decode(struct.pack(">h", 2) + _text("group"), value, 5.0) == Generation(5.0, "group", 4, 0)


def test_a_deletion_and_other_kinds_are_nothing() -> None:
    """Tombstones, and keys of newer group protocols."""
    key = struct.pack(">h", 1) + _text("group") + _text("topic") + struct.pack(">i", 7)
    assert decode(key, None, 5.0) is None
    assert decode(struct.pack(">h", 5) + _text("group"), b"\0\0", 5.0) is None


def _record(topic: str, value: bytes | None, **headers: bytes) -> Any:
    return SimpleNamespace(
        topic=topic, partition=1, offset=2, timestamp=3500, key=b"t|c", value=value, headers=tuple(headers.items())
    )


def test_a_record_is_told_without_its_payload() -> None:
    """Key, ids, version, what it consists of, and which versions' marks stand in it."""
    graph = {
        "sessions": [{"id": "s", "caller": {"userAgent": {"applicationVersion": "mark-v3"}}}],
        "participants_v2": [],
    }
    value = orjson.dumps({"graph": graph, "other": "mark-v2"})
    reported = topic_record(
        _record(topics.RECORDS.name, value, ce_source=b"/s", ce_id=b"c:3:1", ce_callversion=b"3", ce_callrevision=b"1")
    )
    assert (reported.at, reported.key, reported.event_id, reported.version, reported.revision) == (
        3.5,
        ("t", "c"),
        b"/s c:3:1",
        3,
        1,
    )
    assert reported.children == children_of(graph)
    assert reported.marks == {2, 3}


@pytest.mark.parametrize("value", [b"\xff", b"[]", b'{"graph":5}', b"[" * 5000, b"", None])
def test_poison_is_told_too(value: bytes | None) -> None:
    """Nothing that anybody may write ends the collection."""
    reported = topic_record(_record(topics.RECORDS.name, value, ce_callversion=b"9" * 40))
    assert (reported.children, reported.version, reported.event_id) == (None, None, None)
    assert (reported.digest is None) == (value is None)


def test_lines_of_the_simulator(tmp_path: Path) -> None:
    """From an offset on, whole lines only; a lifecycle event has no items, an unanswered request the status 0."""
    item = {"item": "i1", "tenantId": "t", "callId": "c", "version": 2, "planted": "duplicate"}
    post = {"kind": "post", "at": 1.0, "end": 2.0, "attempt": 1, "status": None, "lifecycle": False, "items": [item]}
    post |= {"subscriptionId": "s1", "odd": None, "url": "http://127.0.0.1:81/graph/notifications"}
    request = {
        "kind": "request", "at": 1.0, "end": 2.0, "tenantId": None, "route": "record", "callId": "c", "page": 1,
        "version": None, "status": None, "insideRetryAfter": False, "overBudget": None, "fault": "f1",
    }  # fmt: skip
    file = tmp_path / "ledger.jsonl"
    old, new = orjson.dumps({"kind": "old"}) + b"\n", b"\n".join(map(orjson.dumps, (post, request))) + b"\n"
    file.write_bytes(old + new + b'{"kind":"po')
    lines = list(lines_since(file, len(old)))
    assert lines == [post, request]
    reported = post_of(post, {})
    assert reported.items == (Item("i1", ("t", "c"), 2, "duplicate"),)
    assert (reported.subscription, reported.odd, post_of({**post, "odd": "cut"}, {}).odd) == ("s1", "", "cut")
    assert post_of({**post, "lifecycle": True}, {}).items == ()
    assert request_of(request).status == 0


@pytest.mark.parametrize(("port", "process"), [(80, "webhook"), (81, "webhook-2"), (99, "webhook")])
def test_a_post_is_of_the_webhook_at_its_port(port: int, process: str) -> None:
    """At a port that is none of theirs a link stands before them."""
    post: dict[str, Any] = {"at": 1.0, "end": 2.0, "attempt": 1, "status": 202, "lifecycle": True}
    post |= {"items": [], "odd": None}
    post |= {"subscriptionId": "s", "url": f"http://127.0.0.1:{port}/graph/notifications"}
    assert post_of(post, {80: "webhook", 81: "webhook-2"}).process == process


def test_lines_about_subscriptions() -> None:
    """What became of one, to whom, and the key its URL names; and an endpoint that did not validate."""
    line = {
        "kind": "subscription", "at": 1.0, "event": "created", "tenantId": "t", "subscriptionId": "s",
        "resource": "communications/callRecords", "notificationUrl": "http://w/n?slot=callrecords&kid=k1",
    }  # fmt: skip
    assert subscribed_of(line) == Subscribed(1.0, "created", "t", "s", whole=True, kid="k1")
    assert not subscribed_of({**line, "resource": "communications/callRecords?$filter=x"}).whole
    assert subscribed_of({"kind": "handshake", "end": 2.0}) == Subscribed(2.0, "refused")
    assert odd_of({"at": 1.0, "status": 202}) == SentOdd(1.0, 202)


def test_gauges_are_picked_out_of_the_metrics() -> None:
    """Those with a cap, with their labels; no other."""
    text = '# HELP x\nringback_stream_in_flight_window{group="g"} 12.0\nringback_log_lines_total{level="INFO"} 3.0\n'
    assert gauges_in(text) == {'ringback_stream_in_flight_window{group="g"}': 12.0}
    keys = Sample(1.0, "enricher", 7, 1, 1, gauges_in('ringback_stream_tenant_keys{group="ringback-enricher"} 8.0\n'))
    assert tells_keys(keys), "the bound of I7 would have nothing to look at"


def test_secrets_of_a_run_are_searched_for_in_what_was_printed_since(tmp_path: Path) -> None:
    """Every long text of the secret files; what stood in a log before the row began is not the row's."""
    secret, key = "s" * 12 + "ecret" * 4, "k" * 30
    (tmp_path / "client-secret-1").write_text(secret)
    (tmp_path / "client-state-keys.json").write_bytes(orjson.dumps({"active": "local", "keys": [{"secret": key}]}))
    (tmp_path / "webhook.log").write_text(f"old {secret}\n")
    folders = [tmp_path]
    canaries, sizes = secrets_of(folders), log_sizes(folders)
    assert set(canaries.values()) == {secret, key}
    assert leaks_since(sizes, folders, canaries) == ()
    with (tmp_path / "webhook.log").open("a") as log:
        log.write(f"new {key}\n")
    place = tmp_path.name
    finding = f"{place}/client-state-keys.json 0 stands in {place}/webhook.log (plain)"
    assert leaks_since(sizes, folders, canaries) == (finding,)
