"""Reads one record from the wire: typed in C, without pydantic, Graph's JSON left as the bytes it came in."""

import re
from collections.abc import Sequence
from typing import Annotated, Any, Protocol, cast

import msgspec
from pydantic import AwareDatetime
from ringback_common.outcomes import Reason, Received, Reject
from ringback_events.fields import Event
from ringback_events.header_names import schema_uri
from ringback_events.record import CallRecord, Session

from ringback_sink.store.model.shapes import Member, members

__all__ = ["Record", "StoredSession", "decode"]

_WHOLE = 1024 * 1024
"""Bytes of a value that is decoded in one call, which keeps the interpreter for itself: some 10 ms."""

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


def _struct(model: type[Event], **instead: Any) -> type[msgspec.Struct]:
    """The reader's form of a contracted model: same members, further ones ignored.

    Args:
        model: the contract's.
        instead: members whose kind is not the contract's.
    """
    kinds = [(m, instead.get(m.name) or _kind(m)) for m in members(model)]
    fields = [(m.name, kind) if m.field.is_required() else (m.name, kind, None) for m, kind in kinds]
    return msgspec.defstruct(model.__name__, fields, rename="camel", kw_only=True, gc=False)


_DECODER = msgspec.json.Decoder(_struct(CallRecord))
_IN_PIECES = msgspec.json.Decoder(_struct(CallRecord, sessions=list[msgspec.Raw]))
_SESSION = msgspec.json.Decoder(_struct(Session))
_INDEX = re.compile(r"\[\d+\]")
_SCHEMA = schema_uri("record").encode()


def decode(received: Received, largest: int | None = None) -> Record | Reject:
    """The record of a message, or why it is none.

    `error_class` of a rejection is the exception's name or the path of the member that does not fit, never a value.

    Args:
        received: the message.
        largest: bytes of a value that is decoded; None for any.
    """
    value = received.value or b""
    if largest is not None and len(value) > largest:
        return Reject(Reason.TOO_LARGE)
    if any(name == "ce_dataschema" and found != _SCHEMA for name, found in received.headers):
        return Reject(Reason.WRONG_VERSION)
    try:
        record = _decoded(value)
    except msgspec.ValidationError as misfit:
        return Reject(Reason.SCHEMA_INVALID, _path(misfit))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as unreadable:
        return Reject(Reason.UNDECODABLE, type(unreadable).__name__)
    if bytes(memoryview(record.graph)[:1]) != b"{":
        return Reject(Reason.SCHEMA_INVALID, "$.graph")
    return record


def _decoded(value: bytes) -> Record:
    """The same whichever way: a large record session by session, so that the event loop gets its turns between."""
    if len(value) <= _WHOLE:
        return cast("Record", _DECODER.decode(value))
    record: Any = _IN_PIECES.decode(value)
    try:
        record.sessions = [_SESSION.decode(session) for session in record.sessions]
    except msgspec.ValidationError as misfit:
        raise msgspec.ValidationError(f"a session - at `$.sessions[]{_path(misfit)[1:]}`") from None
    return cast("Record", record)


def _path(misfit: msgspec.ValidationError) -> str:
    """The message ends with the path, `... - at `$.sessions[3].ordinal``; without indices equal faults look equal."""
    _, found, path = str(misfit).rpartition(" - at `")
    return _INDEX.sub("[]", path.rstrip("`")) if found else "$"
