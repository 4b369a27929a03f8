"""CloudEvents 1.0 headers in Kafka's binary mode: identity, type and tenant of an event, without reading its value.

`ce_id` is deterministic, so a repeat has the same id: record and call `<call>:<version>:<revision>`, a session
`<call>:<version>:<revision>:<ordinal>`, the marker `<call>:<version>:<revision>:completed`.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import lru_cache

from ringback_events.header_names import CONTENT_TYPE, REPLAY, TRACEPARENT, schema_uri, type_of
from ringback_events.keys import canonical_id
from ringback_events.topics import AUDIT, CALLS, FETCH, LIFECYCLE, RECORDS, SESSIONS, Topic

__all__ = [
    "EventHeaders",
    "Headers",
    "VersionHeaders",
    "audit_headers",
    "fetch_request_headers",
    "lifecycle_headers",
    "read_headers",
]

Headers = tuple[tuple[str, bytes], ...]

_LONGEST_VALUE = 1024
_LONGEST_NUMBER = 19  # digits of 2**63 - 1


def _fixed(event: str) -> Headers:
    return (
        ("ce_specversion", b"1.0"),
        ("ce_type", type_of(event).encode()),
        ("ce_dataschema", schema_uri(event).encode()),
        (CONTENT_TYPE, b"application/json"),
    )


_FETCH_REQUEST = _fixed("fetch-request")
_LIFECYCLE_EVENT = _fixed("lifecycle-event")
_AUDIT_ENTRY = _fixed("audit-entry")
_RECORD = _fixed("record")
_CALL = _fixed("call")
_SESSION = _fixed("session")
_COMPLETED = _fixed("sessions-completed")


def _source(tenant_id: str, topic: Topic) -> bytes:
    return _source_of(tenant_id, topic.name)


@lru_cache(maxsize=4096)  # every record needs it, and there are few pairs
def _source_of(tenant_id: str, topic_name: str) -> bytes:
    _, tier, entity, _ = topic_name.split(".")
    return f"/ringback/{tenant_id}/{tier}.{entity}".encode()


@dataclass(frozen=True, slots=True)
class VersionHeaders:
    """Makes the headers of everything published about one version of a call.

    Attributes:
        tenant_id: the tenant, canonical or not.
        call_id: the call, canonical or not.
        version: Graph's version.
        revision: Ringback's revision.
        time: Graph's lastModified, else receivedAt; RFC 3339 as on the wire.
        replay: whether this is a re-publication.
    """

    tenant_id: str
    call_id: str
    version: int
    revision: int
    time: str
    replay: bool = False
    _identity: str = field(init=False, repr=False, compare=False)
    _shared: Headers = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        call_id, tenant_id = canonical_id(self.call_id), canonical_id(self.tenant_id)
        object.__setattr__(self, "tenant_id", tenant_id)
        object.__setattr__(self, "_identity", f"{call_id}:{self.version}:{self.revision}")
        shared: Headers = (
            *_about(tenant_id, call_id, self.time),
            ("ce_callversion", str(self.version).encode()),
            ("ce_callrevision", str(self.revision).encode()),
            *_marks(replay=self.replay),
        )
        object.__setattr__(self, "_shared", shared)

    def record(self) -> Headers:
        """Headers of the restricted record."""
        return self._headers(_RECORD, RECORDS, self._identity)

    def call(self) -> Headers:
        """Headers of the open call."""
        return self._headers(_CALL, CALLS, self._identity)

    def session(self, ordinal: int) -> Headers:
        """Headers of the open session with this ordinal."""
        return self._headers(_SESSION, SESSIONS, f"{self._identity}:{ordinal}")

    def completed(self) -> Headers:
        """Headers of the marker after the last session."""
        return self._headers(_COMPLETED, SESSIONS, f"{self._identity}:completed")

    def _headers(self, fixed: Headers, topic: Topic, event_id: str) -> Headers:
        return (("ce_id", event_id.encode()), ("ce_source", _source(self.tenant_id, topic)), *self._shared, *fixed)


def fetch_request_headers(
    *, tenant_id: str, call_id: str, source: str, received_at: str, topic: Topic = FETCH, replay: bool = False
) -> Headers:
    """Headers of a fetch request; `ce_id` is `<call>:<source>:<receivedAt>`, for there is no version yet.

    Args:
        tenant_id: the tenant, canonical or not.
        call_id: the call, canonical or not.
        source: who asks, as in the request.
        received_at: RFC 3339 as on the wire.
        topic: the lane it is written to.
        replay: whether what it leads to is a re-publication.
    """
    tenant, call = canonical_id(tenant_id), canonical_id(call_id)
    identity: Headers = (
        ("ce_id", f"{call}:{source}:{received_at}".encode()),
        ("ce_source", _source(tenant, topic)),
    )
    return identity + _about(tenant, call, received_at) + _marks(replay=replay) + _FETCH_REQUEST


def lifecycle_headers(*, tenant_id: str, subscription_id: str, lifecycle_event: str, received_at: str) -> Headers:
    """Headers of a lifecycle event; its subject is the subscription, `ce_id` `<subscription>:<event>:<receivedAt>`."""
    tenant = canonical_id(tenant_id)
    identity: Headers = (
        ("ce_id", f"{subscription_id}:{lifecycle_event}:{received_at}".encode()),
        ("ce_source", _source(tenant, LIFECYCLE)),
    )
    return identity + _about(tenant, subscription_id, received_at) + _LIFECYCLE_EVENT


def audit_headers(*, tenant_id: str | None, action: str, entry_id: str, at: str) -> Headers:
    """Headers of an audit entry; `entry_id` is the writer's own, so an action that was done twice has two entries.

    What was done to no tenant, or to several, has no `ce_tenantid` and the source `/ringback/restricted.audit`.
    """
    if tenant_id is None:
        about: Headers = (("ce_subject", action.encode()), ("ce_time", at.encode()))
        return (("ce_id", entry_id.encode()), ("ce_source", b"/ringback/restricted.audit"), *about, *_AUDIT_ENTRY)
    tenant = canonical_id(tenant_id)
    identity: Headers = (("ce_id", entry_id.encode()), ("ce_source", _source(tenant, AUDIT)))
    return identity + _about(tenant, action, at) + _AUDIT_ENTRY


def _about(tenant_id: str, subject: str, time: str) -> Headers:
    return (("ce_subject", subject.encode()), ("ce_time", time.encode()), ("ce_tenantid", tenant_id.encode()))


def _marks(*, replay: bool) -> Headers:
    return ((REPLAY, b"true"),) if replay else ()


@dataclass(frozen=True, slots=True)
class EventHeaders:
    """The values of a record's headers; None for one that is absent or not of its form. See `read_headers`."""

    id: str | None = None
    source: str | None = None
    subject: str | None = None
    type: str | None = None
    time: str | None = None
    dataschema: str | None = None
    tenant_id: str | None = None
    version: int | None = None
    revision: int | None = None
    content_type: str | None = None
    traceparent: str | None = None
    replay: bool = False


def read_headers(headers: Iterable[tuple[str, bytes | None]]) -> EventHeaders:
    """Read headers of any writer, trusted or not; never raises.

    The last of repeated names counts. A value that is null, not UTF-8 or longer than 1,024 bytes is as good as
    absent, and so is a version that is not a plain number of at most 19 digits.
    """
    values = {name.lower(): value for name, value in headers}

    def text(name: str) -> str | None:
        return _text(values.get(name))

    return EventHeaders(
        id=text("ce_id"),
        source=text("ce_source"),
        subject=text("ce_subject"),
        type=text("ce_type"),
        time=text("ce_time"),
        dataschema=text("ce_dataschema"),
        tenant_id=text("ce_tenantid"),
        version=_number(values.get("ce_callversion")),
        revision=_number(values.get("ce_callrevision")),
        content_type=text(CONTENT_TYPE),
        traceparent=text(TRACEPARENT),
        replay=values.get(REPLAY) == b"true",
    )


def _text(value: bytes | None) -> str | None:
    if value is None or len(value) > _LONGEST_VALUE:
        return None
    try:
        return value.decode()
    except UnicodeDecodeError:
        return None


def _number(value: bytes | None) -> int | None:
    # bytes.isdigit is ASCII only; the length bound keeps int() cheap and the number within 64 bits.
    if value is None or not value.isdigit() or len(value) > _LONGEST_NUMBER:
        return None
    return int(value)
