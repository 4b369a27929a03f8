"""Which headers the records of each topic have, and what each says: for readers, who meet them before the value.

The code that writes them is elsewhere (`ringback_events.headers`, the Kafka runtime, the enricher); a contract test
compares. `traceparent` is on what a process with tracing wrote; every other header not called "on …" is always there.
"""

from ringback_events.topics import AUDIT, CONTROL, FETCH_LANES, LIFECYCLE, RECORDS, STATUS, Tier, Topic

__all__ = ["headers_of", "type_of"]

Meanings = dict[str, str]

_EVENT: Meanings = {
    "ce_specversion": "1.0",
    "ce_type": "one of ceTypes",
    "ce_dataschema": "urn:ringback:schema:<event>:v1, the $id of the schema",
    "content-type": "application/json",
}
_TRACE: Meanings = {"traceparent": "on what was written with tracing: the W3C trace context of its writer"}
_REPLAY: Meanings = {"ringback_replay": "on a re-publication: true; changes nothing in the consumer rule"}
_TENANT: Meanings = {"ce_tenantid": "the Microsoft Entra tenant, lower case"}
_VERSION_IDS = {
    "record": "<call>:<version>:<revision>",
    "call": "<call>:<version>:<revision>",
    "session": "<call>:<version>:<revision>:<ordinal> of a session",
    "sessions-completed": "<call>:<version>:<revision>:completed of the marker",
}

_OF_A_REQUEST: Meanings = {
    "ce_id": "<call>:<source>:<receivedAt>",
    "ce_source": "/ringback/<tenant>/internal.fetch, or internal.fetch-bulk of what was written to that lane first",
    "ce_subject": "the call id",
    "ce_time": "receivedAt",
    **_TENANT,
    **_EVENT,
    **_REPLAY,
    "ringback_run": "on what a command wrote: its run, which the audit entries name",
    "ringback_attempt": "on a deferred request: how often it was deferred",
    "ringback_looks": "on a deferred request: how often for which reason, as reason=count by commas",
    "ringback_reason": "on a deferred request: why it was deferred last",
    "ringback_due": "on a retry lane: when it may be tried again, epoch milliseconds",
    "ringback_read": "on a copy of a request whose read goes on: that read",
    "ringback_known_version": "on a check for a newer version: the version that was published",
    **_TRACE,
}
_OF_A_LIFECYCLE_EVENT: Meanings = {
    "ce_id": "<subscription>:<event>:<receivedAt>",
    "ce_source": "/ringback/<tenant>/internal.lifecycle",
    "ce_subject": "the subscription id",
    "ce_time": "receivedAt",
    **_TENANT,
    **_EVENT,
    **_TRACE,
}
_OF_AN_AUDIT_ENTRY: Meanings = {
    "ce_id": "the writer's own; what was done twice has two",
    "ce_source": "/ringback/<tenant>/restricted.audit; without the tenant where it was done to none or to several",
    "ce_subject": "the action",
    "ce_time": "when it was done",
    "ce_tenantid": "on what was done to one tenant: that tenant, lower case",
    **_EVENT,
    **_TRACE,
}
_OF_A_DEAD_LETTER: Meanings = {
    "ringback_dlq_topic": "where it was refused: the contract's name of the topic",
    "ringback_dlq_partition": "its partition there",
    "ringback_dlq_offset": "its offset there",
    "ringback_dlq_timestamp": "its time stamp there, epoch milliseconds",
    "ringback_dlq_service": "which process refused it",
    "ringback_dlq_reason": "why, one of a bounded set",
    "ringback_dlq_error_class": "the class of the error, without its message; may be empty",
    "ringback_dlq_fingerprint": "equal for equal faults",
    "ringback_dlq_attempts": "how often it was tried",
    "…": "and every header of the refused record",
    **_TRACE,
}


def type_of(event: str) -> str:
    """`ce_type` of an event of the catalogue."""
    return f"ringback.callrecords.{event}.v1"


def headers_of(topic: Topic) -> Meanings:
    """The headers of a topic's records, by name; empty while it is planned."""
    if topic.entity == "dead-letters":
        return _OF_A_DEAD_LETTER
    if topic.tier is Tier.OPEN or topic is RECORDS:
        return _of_a_version(topic) if topic.events else {}
    if topic in FETCH_LANES:
        return _OF_A_REQUEST
    return {
        LIFECYCLE.name: _OF_A_LIFECYCLE_EVENT,
        AUDIT.name: _OF_AN_AUDIT_ENTRY,
        STATUS.name: _TRACE,
        CONTROL.name: _TRACE,
    }.get(topic.name, {})


def _of_a_version(topic: Topic) -> Meanings:
    return {
        "ce_id": ", ".join(_VERSION_IDS[event] for event in topic.events),
        "ce_source": f"/ringback/<tenant>/{topic.tier}.{topic.entity}",
        "ce_subject": "the call id",
        "ce_time": "Graph's lastModifiedDateTime, else receivedAt",
        **_TENANT,
        "ce_callversion": "Graph's version, to decide without reading the value",
        "ce_callrevision": "Ringback's revision, likewise",
        **_EVENT,
        **_REPLAY,
        **_TRACE,
    }
