from datetime import UTC, datetime, timedelta, timezone

from cloudevents.core.bindings.kafka import KafkaMessage, from_binary_event
from cloudevents.core.formats.json import JSONFormat
from hypothesis import given
from hypothesis import strategies as st
from ringback_events.audit import audit_record
from ringback_events.header_names import LAST_ATTEMPTS, LAST_HOP, REPLAY, RUN
from ringback_events.headers import (
    EventHeaders,
    Headers,
    VersionHeaders,
    audit_headers,
    fetch_request_headers,
    lifecycle_headers,
    read_headers,
)
from ringback_events.platform_events import AuditEntry
from ringback_events.times import wire_time
from ringback_events.topics import FETCH_BULK

TENANT = "dc368399-474c-4d40-900c-6265431fd81f"
CALL = "e523d2ed-2966-4b6b-925b-754a88034cc5"
TIME = "2026-11-02T09:20:00.123456Z"
VERSION = VersionHeaders(TENANT.upper(), CALL.upper(), 3, 1, TIME)


def test_the_record_says_who_it_is() -> None:
    """Identity, source and schema are those the contract names, ids canonical."""
    assert read_headers(VERSION.record()) == EventHeaders(
        id=f"{CALL}:3:1",
        source=f"/ringback/{TENANT}/restricted.records",
        subject=CALL,
        type="ringback.callrecords.record.v1",
        time=TIME,
        dataschema="urn:ringback:schema:record:v1",
        tenant_id=TENANT,
        version=3,
        revision=1,
        content_type="application/json",
    )


def test_ids_of_one_version_differ_where_they_share_a_source() -> None:
    """CloudEvents: source and id together are unique; sessions, marker, call and record never meet."""
    made = [VERSION.record(), VERSION.call(), VERSION.completed(), *(VERSION.session(ordinal) for ordinal in range(3))]
    read = [read_headers(headers) for headers in made]
    assert len({(each.source, each.id) for each in read}) == len(made)
    assert [each.id for each in read[2:4]] == [f"{CALL}:3:1:completed", f"{CALL}:3:1:0"]


def test_a_repeat_has_the_same_id_and_says_it_is_a_replay() -> None:
    """A re-publication is recognised by its id; the mark is beside it, not in it."""
    again = VersionHeaders(TENANT, CALL, 3, 1, TIME, replay=True)
    assert read_headers(again.call()).id == read_headers(VERSION.call()).id
    assert (read_headers(again.call()).replay, read_headers(VERSION.call()).replay) == (True, False)


def test_fetch_requests_and_lifecycle_events() -> None:
    """A request names its lane as source; a lifecycle event is about its subscription."""
    request = read_headers(
        fetch_request_headers(
            tenant_id=TENANT, call_id=CALL, source="backfill", received_at=TIME, topic=FETCH_BULK, replay=True
        )
    )
    assert (request.id, request.source) == (f"{CALL}:backfill:{TIME}", f"/ringback/{TENANT}/internal.fetch-bulk")
    assert request.replay
    lifecycle = read_headers(
        lifecycle_headers(tenant_id=TENANT, subscription_id="s1", lifecycle_event="missed", received_at=TIME)
    )
    assert (lifecycle.id, lifecycle.subject) == (f"s1:missed:{TIME}", "s1")


def test_the_reference_sdk_reads_them() -> None:
    """Each set of headers is a CloudEvent in binary mode to the CloudEvents SDK."""
    lifecycle = lifecycle_headers(tenant_id=TENANT, subscription_id="s1", lifecycle_event="missed", received_at=TIME)
    request = fetch_request_headers(tenant_id=TENANT, call_id=CALL, source="webhook", received_at=TIME)
    for headers in (VERSION.record(), VERSION.call(), VERSION.session(7), VERSION.completed(), request, lifecycle):
        event = from_binary_event(KafkaMessage(headers=dict(headers), key=b"k", value=b'{"a":1}'), JSONFormat())
        read = dict(headers)
        assert event.get_id() == read["ce_id"].decode()
        assert event.get_type() == read["ce_type"].decode()
        assert event.get_extension("tenantid") == TENANT


hostile = st.tuples(
    st.one_of(st.text(max_size=20), st.sampled_from(["ce_id", "CE_ID", "ce_callversion", "ringback_replay"])),
    st.one_of(st.none(), st.binary(max_size=40), st.just(b"x" * 5000), st.just("٣".encode()), st.just(b"9" * 30)),
)


@given(st.lists(hostile, max_size=12))
def test_reading_hostile_headers_never_raises(headers: list[tuple[str, bytes | None]]) -> None:
    """Whatever stands there, what is read has the right type and a bounded size."""
    read = read_headers(headers)
    assert read.id is None or len(read.id) <= 1024
    assert read.version is None or 0 <= read.version < 10**19


def test_unbelievable_values_are_absent() -> None:
    """Not UTF-8, null, too long, signed or non-ASCII digits: as good as absent. The last of repeated names counts."""
    headers: list[tuple[str, bytes | None]] = [
        ("ce_id", b"first"),
        ("ce_id", b"last"),
        ("ce_source", b"\xff\xfe"),
        ("ce_subject", None),
        ("ce_type", b"t" * 1025),
        ("ce_callversion", b"-1"),
        ("ce_callrevision", "٣".encode()),
        ("ringback_replay", b"yes"),
    ]
    assert read_headers(headers) == EventHeaders(id="last")


def test_headers_are_text_and_named_as_cloudevents_wants() -> None:
    """Attribute names are lower-case letters and digits, values UTF-8; no value is empty."""
    made: list[Headers] = [VERSION.record(), VERSION.session(0), VERSION.completed()]
    for name, value in (pair for headers in made for pair in headers):
        assert value.decode()
        if name.startswith("ce_"):
            assert name[3:].isalnum()
            assert name == name.lower()


def test_an_audit_entry_about_no_tenant_names_none() -> None:
    """What an operator does to letters of several tenants is said without inventing one."""
    headers = read_headers(audit_headers(tenant_id=None, action="dead_letter.release", entry_id="r:1", at=TIME))
    assert (headers.id, headers.subject, headers.tenant_id) == ("r:1", "dead_letter.release", None)
    assert headers.source == "/ringback/restricted.audit"


def test_an_audit_entry_is_one_record_under_the_key_of_its_actor() -> None:
    """Value, key and headers agree about who did what to whom, and when."""
    at = datetime(2026, 11, 2, 9, 20, 0, 123456, UTC)
    entry = AuditEntry(
        actor="operator:ada",
        action="halt.lift",
        tenant_id=TENANT,
        targets=["fetch"],
        reason="OPS-1",
        at=at,
        outcome="done",
    )
    record = audit_record(entry, "run:1")
    headers = read_headers(record.headers)
    assert (record.topic, record.key) == ("callrecords.restricted.audit.v1", b"operator:ada")
    assert AuditEntry.model_validate_json(record.value) == entry
    assert b'"tenantId"' in record.value
    assert (headers.id, headers.subject, headers.time, headers.tenant_id) == ("run:1", "halt.lift", TIME, TENANT)


def test_a_time_on_the_wire_is_in_utc_with_microseconds() -> None:
    """Whatever zone it was taken in, and though its microseconds are none."""
    assert (
        wire_time(datetime(2026, 11, 2, 10, 20, tzinfo=timezone(timedelta(hours=1)))) == "2026-11-02T09:20:00.000000Z"
    )


def test_attempts_that_begin_anew_keep_nothing_of_the_last() -> None:
    """Of a released request nothing may stay that a later deferral would make valid again."""
    assert LAST_HOP < LAST_ATTEMPTS
    assert {"ringback_looks", "ringback_known_version", "traceparent", "tracestate"} < LAST_ATTEMPTS
    assert not LAST_ATTEMPTS & {REPLAY, RUN}
