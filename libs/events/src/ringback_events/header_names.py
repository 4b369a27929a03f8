"""The name of every header that is written, and the two values that follow from an event's name.

The meaning of each header for readers is in the topic files, `contracts/topics/*.yaml`; a contract test compares the
files with what the code writes.
"""

__all__ = [
    "ATTEMPT",
    "CONTENT_TYPE",
    "DEAD_LETTER_PREFIX",
    "DUE",
    "KNOWN_VERSION",
    "LAST_ATTEMPTS",
    "LAST_HOP",
    "LOOKS",
    "READ",
    "REASON",
    "REPLAY",
    "RUN",
    "TRACEPARENT",
    "schema_uri",
    "type_of",
]

CONTENT_TYPE = "content-type"
TRACEPARENT = "traceparent"
"""The W3C trace context of the writer."""
_TRACESTATE = "tracestate"
REPLAY = "ringback_replay"
"""Marks a re-publication (replay, back-fill, re-derivation); its value is `true`."""
RUN = "ringback_run"
"""Which run of an operator's command wrote a release or replay; the audit entries of the run have it in their ids."""

ATTEMPT = "ringback_attempt"
"""How often a request was deferred so far."""
LOOKS = "ringback_looks"
"""How often it was deferred for which reason, such as `not_found=3,upstream_error=1`; void without `ATTEMPT`."""
KNOWN_VERSION = "ringback_known_version"
"""The version that was published when a request was deferred to see whether Graph has a newer one; void without
`ATTEMPT`."""
REASON = "ringback_reason"
"""Why it was deferred last."""
DUE = "ringback_due"
"""When it may be tried again, epoch milliseconds."""
READ = "ringback_read"
"""The read of its call that goes on, if it was deferred because that takes long (`ringback_stream.aside`)."""

LAST_HOP = frozenset({DUE, REASON, READ, TRACEPARENT, _TRACESTATE})
"""Headers of one deferral alone: a writer that puts a request on another lane drops them and adds its own."""
LAST_ATTEMPTS = LAST_HOP | {ATTEMPT, LOOKS, KNOWN_VERSION}
"""Headers of a request's attempts: a writer that starts the count anew drops them."""

DEAD_LETTER_PREFIX = "ringback_dlq_"
"""Begins the names of the headers that say where a dead letter was refused, and why."""


def type_of(event: str) -> str:
    """`ce_type` of an event of the catalogue."""
    return f"ringback.callrecords.{event}.v1"


def schema_uri(event: str) -> str:
    """`ce_dataschema` of an event and `$id` of its schema file `contracts/schemas/<event>.v1.json`."""
    return f"urn:ringback:schema:{event}:v1"
