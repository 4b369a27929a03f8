"""From a restricted record to what is published of it, in the order in which it is published."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from io import BytesIO
from typing import Any, cast

import cramjam
import orjson
from ringback_common.outcomes import Message, MessageHeaders, Reason, Reject
from ringback_events import topics
from ringback_events.headers import VersionHeaders
from ringback_events.keys import call_key
from ringback_events.project import PartyToken, project
from ringback_events.topics import Topic
from ringback_events.wire import CallRecordWire

__all__ = ["Stages", "Tokenizer", "publication"]

Stages = tuple[tuple[Message, ...], ...]
Tokenizer = Callable[[CallRecordWire], PartyToken]
"""Gives, for one record, what names its parties in the open tier; bound to its tenant and month."""

_BATCH_OVERHEAD = 4096
"""Bytes a record batch and its headers add at most to one compressed value."""


def publication(
    record: CallRecordWire, tokens: Tokenizer, *, replay: bool, canary: bool, largest: int | None = None
) -> Stages | Reject:
    """Plan the publication of one version: every stage is acked as a whole before the next begins.

    1. the restricted record, the source of everything else;
    2. every open session, by ordinal;
    3. the marker that says they are all there;
    4. the open call.

    All of it is encoded and measured first: a version that one topic would refuse is published to none.

    Args:
        record: the derived record.
        tokens: names the parties in the open tier.
        replay: whether this version was published before.
        canary: proves the path only; the open topics never see it.
        largest: bytes of the restricted record, before compression, that its readers take; None for any.
    """
    key = call_key(record["tenantId"], record["callId"])
    headers = _version_headers(record, replay=replay)
    restricted = Message(topics.RECORDS.name, key, _encoded_record(record), headers.record())
    if largest is not None and len(restricted.value or b"") > largest:
        return Reject(Reason.TOO_LARGE)
    stages = ((restricted,),) if canary else ((restricted,), *_open_stages(record, tokens, key, headers))
    return stages if all(_fits(message) for stage in stages for message in stage) else Reject(Reason.TOO_LARGE)


def _open_stages(record: CallRecordWire, tokens: Tokenizer, key: bytes, headers: VersionHeaders) -> Stages:
    opened = project(record, tokens(record))

    def of_sessions(event: object, its_headers: MessageHeaders) -> Message:
        return Message(topics.SESSIONS.name, key, _encoded(event), its_headers)

    sessions = tuple(of_sessions(session, headers.session(session["ordinal"])) for session in opened.sessions)
    marker = of_sessions(opened.completed, headers.completed())
    call = Message(topics.CALLS.name, key, _encoded(opened.call), headers.call())
    return (sessions, (marker,), (call,)) if sessions else ((marker,), (call,))


def _encoded(event: object) -> bytes:
    """JSON in memory of its own size.

    orjson hands out the buffer it wrote into: in all two to two and a half times as much for a meeting. Sixty-four
    publications that wait for Kafka would keep all of that.
    """
    return bytes(memoryview(orjson.dumps(event)))


def _encoded_record(record: CallRecordWire) -> bytes:
    """The same, session by session: one call for all of a large record would keep the interpreter for itself.

    What a `BytesIO` hands out is its own buffer, cut to size: no piece and no copy is kept beside it.
    """
    written = BytesIO()
    written.writelines(_object(cast("dict[str, Any]", record)))
    return written.getvalue()


def _object(shape: Mapping[str, Any]) -> Iterator[bytes]:
    before = b"{"
    for name, value in shape.items():
        yield before + orjson.dumps(name) + b":"
        if name == "graph" and isinstance(value, dict):
            yield from _object(cast("dict[str, Any]", value))
        elif name == "sessions" and isinstance(value, list):
            yield from _array(cast("list[Any]", value))
        else:
            yield orjson.dumps(value)
        before = b","
    yield b"}" if shape else b"{}"


def _array(values: Sequence[Any]) -> Iterator[bytes]:
    for number, value in enumerate(values):
        yield b"," if number else b"["
        yield orjson.dumps(value)
    yield b"]" if values else b"[]"


def _version_headers(record: CallRecordWire, *, replay: bool) -> VersionHeaders:
    return VersionHeaders(
        record["tenantId"],
        record["callId"],
        record["version"],
        record["revision"],
        record.get("lastModifiedDateTime") or record.get("receivedAt") or record["fetchedAt"],
        replay=replay,
    )


_LIMITS: dict[str, Topic] = {each.name: each for each in (topics.RECORDS, topics.SESSIONS, topics.CALLS)}


def _fits(message: Message) -> bool:
    """Whether the broker takes it; only what is larger than the limit before compression is compressed to know."""
    value, limit = message.value or b"", _LIMITS[message.topic].max_bytes - _BATCH_OVERHEAD
    return len(value) <= limit or len(cramjam.zstd.compress(value)) <= limit
