from dataclasses import replace

import msgspec
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from ringback_common.outcomes import Reason, Received, Reject
from ringback_events.record import CallRecord
from ringback_sink.store.core import record as record_module
from ringback_sink.store.core.record import decode
from ringback_sink.store.model.shapes import members
from ringback_sink.store.model.version import Version
from ringback_sink.store.postgres.rows import entry_of
from ringback_testing.call_records import call_record, received

GOOD = received(call_record("c", parties=2))


def changed(**facts: object) -> Received:
    """The good record with members replaced."""
    return replace(GOOD, value=orjson.dumps(orjson.loads(GOOD.value or b"") | facts))


NO_UTF8 = "UnicodeDecodeError"


def without(name: str) -> Received:
    """The good record without a member."""
    told = orjson.loads(GOOD.value or b"")
    del told[name]
    return replace(GOOD, value=orjson.dumps(told))


@pytest.mark.parametrize(
    ("poison", "reason", "where"),
    [
        (replace(GOOD, value=None), Reason.UNDECODABLE, "DecodeError"),
        (replace(GOOD, value=b""), Reason.UNDECODABLE, "DecodeError"),
        (replace(GOOD, value=b"\xff\xfe"), Reason.UNDECODABLE, "DecodeError"),
        (replace(GOOD, value=(GOOD.value or b"").replace(b'"type":"', b'"type":"\xff')), Reason.UNDECODABLE, NO_UTF8),
        (replace(GOOD, value=(GOOD.value or b"")[:-20]), Reason.UNDECODABLE, "DecodeError"),
        (replace(GOOD, value=b"[" * 100_000), Reason.SCHEMA_INVALID, "$"),
        (replace(GOOD, value=b'{"graph":' + b"[" * 100_000), Reason.UNDECODABLE, "RecursionError"),
        (replace(GOOD, value=b"[]"), Reason.SCHEMA_INVALID, "$"),
        (without("graph"), Reason.SCHEMA_INVALID, "$"),
        (without("sessions"), Reason.SCHEMA_INVALID, "$"),
        (changed(version="3"), Reason.SCHEMA_INVALID, "$.version"),
        (changed(version=None), Reason.SCHEMA_INVALID, "$.version"),
        (changed(version=2**63), Reason.SCHEMA_INVALID, "$.version"),
        (changed(graph=[]), Reason.SCHEMA_INVALID, "$.graph"),
        (changed(fetchedAt="now"), Reason.SCHEMA_INVALID, "$.fetchedAt"),
        (changed(startDateTime="2026-13-01T00:00:00Z"), Reason.SCHEMA_INVALID, "$.startDateTime"),
        (changed(startDateTime="2026-11-01T00:00:00Z; DROP"), Reason.SCHEMA_INVALID, "$.startDateTime"),
        (changed(sessions=[{"ordinal": "a"}]), Reason.SCHEMA_INVALID, "$.sessions[].ordinal"),
        (changed(sessions=[dict[str, int](), 1]), Reason.SCHEMA_INVALID, "$.sessions[]"),
        (changed(parties=[{"displayName": "Zoë"}]), Reason.SCHEMA_INVALID, "$.parties[]"),
        (replace(GOOD, headers=(("ce_dataschema", b"urn:ringback:schema:record:v2"),)), Reason.WRONG_VERSION, ""),
    ],
)
def test_what_is_no_record_is_rejected(
    monkeypatch: pytest.MonkeyPatch, poison: Received, reason: Reason, where: str
) -> None:
    """Every kind of poison ends with its reason and the place, never with a value; a large one just as a small one."""
    assert decode(poison) == Reject(reason, where)
    monkeypatch.setattr(record_module, "_WHOLE", -1)
    assert decode(poison) == Reject(reason, where)


def test_a_large_record_is_decoded_as_a_small_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """Session by session, with the same result."""
    at_once = decode(GOOD)
    monkeypatch.setattr(record_module, "_WHOLE", 0)
    in_pieces = decode(GOOD)
    assert not isinstance(at_once, Reject)
    assert not isinstance(in_pieces, Reject)
    assert entry_of(Version(in_pieces)) == entry_of(Version(at_once))


def test_members_unknown_to_this_release_are_ignored() -> None:
    """A later minor version may add members anywhere."""
    assert not isinstance(decode(changed(sentiment={"new": 1})), Reject)


def test_graphs_json_stays_the_bytes_it_came_in() -> None:
    """Wherever it stands and however it is spaced, Graph's JSON is not re-written."""
    told = orjson.loads(GOOD.value or b"")
    del told["graph"]
    spaced = b'{"graph" : {"wide": 12345678901234567890123,  "r":1.50 } ,' + orjson.dumps(told)[1:]
    record = decode(replace(GOOD, value=spaced))
    assert not isinstance(record, Reject)
    assert bytes(record.graph) == b'{"wide": 12345678901234567890123,  "r":1.50 }'


@given(st.binary(max_size=200))
def test_decoding_is_total(junk: bytes) -> None:
    """No bytes raise."""
    assert isinstance(decode(replace(GOOD, value=junk)), Reject)


def test_the_reader_knows_every_member_of_the_contract() -> None:
    """The decoded shape has the contract's members under the contract's wire names."""
    record = decode(GOOD)
    names = {field.encode_name for field in msgspec.structs.fields(record)}  # pyright: ignore[reportArgumentType]
    assert names == {member.field.alias for member in members(CallRecord)}


def test_a_record_too_large_for_the_memory_is_not_even_decoded() -> None:
    """One octet decides; what a record becomes while it is decoded and turned into rows is several times its size."""
    value = GOOD.value or b""
    assert not isinstance(decode(GOOD, len(value)), Reject)
    assert decode(GOOD, len(value) - 1) == Reject(Reason.TOO_LARGE)
