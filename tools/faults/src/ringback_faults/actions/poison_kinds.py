"""What no reader of a topic can use: kinds of poison by name, each with the bucket it has to end in. Pure."""

import secrets
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import orjson
from ringback_events.headers import VersionHeaders, fetch_request_headers

from ringback_faults.contract import call_key

__all__ = ["Poison", "of_lanes", "of_records"]

_DEPTH, _DIGITS, _ID_BYTES, _OBJECTS = 2_000, 5_000, 64 * 1024, 1_000_000
_UNDECODABLE, _SCHEMA_INVALID = "undecodable", "schema_invalid"


@dataclass(frozen=True, slots=True)
class Poison:
    """One record that has to be refused.

    Attributes:
        name: of its kind.
        reason: with which it has to be dead-lettered.
    """

    name: str
    reason: str
    key: bytes
    value: bytes | None
    headers: Mapping[str, bytes]


@dataclass(frozen=True, slots=True)
class _Kind:
    """How a good value is spoiled, and what the enricher and the store have to say of it."""

    name: str
    by_enricher: str
    by_store: str
    spoil: Callable[["_Good"], bytes | None]


@dataclass(frozen=True, slots=True)
class _Good:
    """A value that would be worked on; `text` names a member that is a string, `number` one that is a number."""

    body: Mapping[str, Any]
    text: str
    number: str

    def whole(self, **changed: object) -> bytes:
        return orjson.dumps({**self.body, **changed})

    def spelled(self, member: str, value: bytes) -> bytes:
        """With a member whose JSON is written as it is."""
        rest = {name: held for name, held in self.body.items() if name != member}
        return orjson.dumps(rest)[:-1] + b',"' + member.encode() + b'":' + value + b"}"

    def twice(self, member: str, value: bytes) -> bytes:
        """With a member that stands there again, with that JSON."""
        return self.whole(**{member: "first"})[:-1] + b',"' + member.encode() + b'":' + value + b"}"


_KINDS = (
    _Kind("bad UTF-8", _UNDECODABLE, _UNDECODABLE, lambda good: good.spelled(good.text, b'"\xff\xfe"')),
    _Kind("truncated JSON", _UNDECODABLE, _UNDECODABLE, lambda good: good.whole()[:-9]),
    _Kind("depth 2,000", _UNDECODABLE, _SCHEMA_INVALID, lambda _: b"[" * _DEPTH + b"]" * _DEPTH),
    _Kind("3 MB of {}", _SCHEMA_INVALID, _SCHEMA_INVALID, lambda _: b"[" + b"{}," * (_OBJECTS - 1) + b"{}]"),
    _Kind("NaN", _SCHEMA_INVALID, _UNDECODABLE, lambda good: good.spelled(good.number, b"NaN")),
    _Kind("lone surrogate", _UNDECODABLE, _UNDECODABLE, lambda good: good.spelled(good.text, b'"\\ud800"')),
    _Kind("a number too long", _UNDECODABLE, _SCHEMA_INVALID, lambda good: good.spelled(good.number, b"9" * _DIGITS)),
    _Kind("wrong types", _SCHEMA_INVALID, _SCHEMA_INVALID, lambda good: good.whole(tenantId=["one", 2])),
    _Kind("null id", _SCHEMA_INVALID, _SCHEMA_INVALID, lambda good: good.whole(callId=None)),
    _Kind("empty value", _UNDECODABLE, _UNDECODABLE, lambda _: b""),
    _Kind("tombstone", _UNDECODABLE, _UNDECODABLE, lambda _: None),
    _Kind("duplicate keys", _SCHEMA_INVALID, _SCHEMA_INVALID, lambda good: good.twice(good.text, b"5")),
)


def of_lanes(tenant: str, now: str) -> Iterator[Poison]:
    """Poison for the enricher: fetch requests of calls that do not exist, received `now` (RFC 3339)."""
    for kind in _KINDS:
        call = str(uuid.uuid4())
        body = {"tenantId": tenant, "callId": call, "source": "eventhub", "receivedAt": now}
        value = kind.spoil(_Good(body, "changeType", "minVersion"))
        yield Poison(kind.name, kind.by_enricher, call_key(tenant, call), value, _request_headers(tenant, call, now))
    call = secrets.token_hex(
        _ID_BYTES // 2
    )  # legal for the contract; of the address it makes the guard of links says no
    long_id = orjson.dumps({"tenantId": tenant, "callId": call, "source": "eventhub", "receivedAt": now})
    yield Poison("64 KiB id", "hostile_link", call_key(tenant, call), long_id, _request_headers(tenant, "a", now))


def of_records(tenant: str, now: str, example: Mapping[str, Any]) -> Iterator[Poison]:
    """Poison for the store: an example of the contract's records, as another call's each time, spoiled."""
    for kind in _KINDS:
        call = str(uuid.uuid4())
        value = kind.spoil(_Good({**example, "tenantId": tenant, "callId": call}, "type", "version"))
        yield Poison(kind.name, kind.by_store, call_key(tenant, call), value, _record_headers(tenant, call, now))
    call, long_id = str(uuid.uuid4()), secrets.token_hex(_ID_BYTES // 2)  # what compresses well fits an index
    next_major = {**_record_headers(tenant, call, now), "ce_dataschema": b"urn:ringback:schema:record:v9"}
    good = orjson.dumps({**example, "tenantId": tenant, "callId": call})
    yield Poison("unknown schema version", "wrong_version", call_key(tenant, call), good, next_major)
    value = orjson.dumps({**example, "tenantId": tenant, "callId": long_id})
    yield Poison("64 KiB id", "store_refused", call_key(tenant, long_id), value, _record_headers(tenant, "a", now))


def _request_headers(tenant: str, call: str, now: str) -> dict[str, bytes]:
    return dict(fetch_request_headers(tenant_id=tenant, call_id=call, source="eventhub", received_at=now))


def _record_headers(tenant: str, call: str, now: str) -> dict[str, bytes]:
    return dict(VersionHeaders(tenant, call, 1, 1, now).record())
