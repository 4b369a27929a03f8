"""Reads one record from the wire: typed in C, without pydantic, Graph's JSON left as the bytes it came in."""

import re
from collections.abc import Sequence
from typing import Annotated, Any, Protocol, cast

import msgspec
from pydantic import AwareDatetime
from ringback_common.outcomes import Reason, Received, Reject
from ringback_events.fields import Event
from ringback_events.headers import schema_uri
from ringback_events.record import CallRecord

from ringback_sink.store.core.columns import Member, members

__all__ = ["LARGEST_RECORD", "Record", "StoredSession", "decode"]

LARGEST_RECORD = 64 * 1024 * 1024
"""Bytes of a value that is still decoded: some 6,500 sessions with all their streams.

The process itself takes 75 MiB. While a record becomes rows it takes 4.3 times its size, 5.1 times with as large a one
behind it: 75 + 5.1 · 64 = 400 MiB. What is larger is rejected undecoded, but read, unpacked and written to the dead
letters all the same, which takes 5.3 times its size. A read of Graph ends at 64 MiB, so that 90 MiB are the most that
is published: 75 + 5.3 · 90 = 550 MiB, and up to 760 while the one before it in its partition and its batch are still
held. Hence the 896 MiB of deploy/k8s/base/store; measured by tests/integration/test_store_memory.py."""

_Instant = Annotated[
    str,
    msgspec.Meta(
        pattern=r"^(?!0000)\d{4}-(0[1-9]|1[0-2])-[0-3]\d[Tt][0-2]\d:[0-5]\d:[0-6]\d(\.\d{1,6})?[Zz]\Z", max_length=27
    ),
]
"""A time on the wire. PostgreSQL would also take words such as `now`; the 30th of February is left for it to refuse."""

_BigInt = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]


class StoredSession(Protocol):
    """The members of a session that decide about rows."""

    @property
    def ordinal(self) -> int: ...  # noqa: D102 - as in the contract
    @property
    def streams(self) -> Sequence[object]: ...  # noqa: D102 - as in the contract


class Record(Protocol):
    """A decoded record: attributes as in the contract's CallRecord, times as text, `graph` as raw JSON."""

    @property
    def tenant_id(self) -> str: ...  # noqa: D102 - as in the contract
    @property
    def call_id(self) -> str: ...  # noqa: D102 - as in the contract
    @property
    def version(self) -> int: ...  # noqa: D102 - as in the contract
    @property
    def revision(self) -> int: ...  # noqa: D102 - as in the contract
    @property
    def start_date_time(self) -> str | None: ...  # noqa: D102 - as in the contract
    @property
    def last_modified_date_time(self) -> str | None: ...  # noqa: D102 - as in the contract
    @property
    def received_at(self) -> str | None: ...  # noqa: D102 - as in the contract
    @property
    def fetched_at(self) -> str: ...  # noqa: D102 - as in the contract
    @property
    def parties(self) -> Sequence[object]: ...  # noqa: D102 - as in the contract
    @property
    def sessions(self) -> Sequence[StoredSession]: ...  # noqa: D102 - as in the contract
    @property
    def graph(self) -> msgspec.Raw: ...  # noqa: D102 - as in the contract


_KINDS: dict[Any, Any] = {AwareDatetime: _Instant, int: _BigInt}


def _kind(member: Member) -> Any:
    if member.name == "graph":
        return msgspec.Raw
    kind: Any = _struct(member.nested) if member.nested is not None else _KINDS.get(member.kind, member.kind)
    listed: Any = list[kind] if member.listed else kind
    return listed | None if member.optional else listed


def _struct(model: type[Event]) -> type[msgspec.Struct]:
    """The reader's form of a contracted model: same members, further ones ignored."""
    fields = [(m.name, _kind(m)) if m.field.is_required() else (m.name, _kind(m), None) for m in members(model)]
    return msgspec.defstruct(model.__name__, fields, rename="camel", kw_only=True, gc=False)


_DECODER = msgspec.json.Decoder(_struct(CallRecord))
_INDEX = re.compile(r"\[\d+\]")
_SCHEMA = schema_uri("record").encode()


def decode(received: Received) -> Record | Reject:
    """The record of a message, or why it is none.

    `error_class` of a rejection is the exception's name or the path of the member that does not fit, never a value.
    """
    if len(received.value or b"") > LARGEST_RECORD:
        return Reject(Reason.TOO_LARGE)
    if any(name == "ce_dataschema" and value != _SCHEMA for name, value in received.headers):
        return Reject(Reason.WRONG_VERSION)
    try:
        record = cast("Record", _DECODER.decode(received.value or b""))
    except msgspec.ValidationError as misfit:
        return Reject(Reason.SCHEMA_INVALID, _path(misfit))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as unreadable:
        return Reject(Reason.UNDECODABLE, type(unreadable).__name__)
    if not bytes(record.graph).startswith(b"{"):
        return Reject(Reason.SCHEMA_INVALID, "$.graph")
    return record


def _path(misfit: msgspec.ValidationError) -> str:
    """The message ends with the path, `... - at `$.sessions[3].ordinal``; without indices equal faults look equal."""
    _, found, path = str(misfit).rpartition(" - at `")
    return _INDEX.sub("[]", path.rstrip("`")) if found else "$"
