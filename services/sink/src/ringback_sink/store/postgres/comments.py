"""What every table, column and view of the store means, for whoever opens the schema in psql.

Columns that bear a field of the contract have the contract's own sentence; the others have theirs here.
"""

from collections.abc import Iterator, Mapping

from ringback_sink.store.postgres import columns

__all__ = ["COLUMNS", "RELATIONS", "SCHEMA", "comments"]

SCHEMA = "Microsoft Graph call records, as Ringback stores them. Written by ringback-sink, read by everybody."

RELATIONS: Mapping[str, str] = {
    "TABLE call": "A call, its newest version: one row per (tenant, call).",
    "TABLE call_version_row": "The rows of call_version, by the number of their call.",
    "TABLE participant_row": "The rows of participant, by the number of their call and the month of call_start.",
    "TABLE session_row": "The rows of session, by the number of their call and the month of call_start.",
    "TABLE stream_row": "The rows of stream, by the number of their call and the month of call_start.",
    "VIEW call_version": "Every version of a call that was stored: its times, counts and verdict.",
    "VIEW participant": "The parties of the newest version of a call.",
    "VIEW session": "The sessions of the newest version of a call.",
    "VIEW stream": "The media streams of the newest version of a call.",
    "TABLE dead_letter": "Heads of the dead letters, never their payload; the key is where the letter is.",
    "TABLE dead_letter_decision": "The newest decision about a dead letter; it may come before its head.",
    "TABLE status": "Newest report of every process instance; older than 30 s means unknown.",
    "TABLE alembic_version": "The revision of this schema; ringback-sink migrate writes it.",
    "VIEW freshness": "Per tenant: when something was last stored, and how long the last hour's versions took.",
    "VIEW settled_call": "Calls whose newest version arrived more than four hours ago.",
    "VIEW call_timeline": "What happened to a call and its versions, in order of time.",
    "VIEW status_now": "What every process says now; older than 30 s is unknown.",
}

_IDS = {
    "tenant_id": "The tenant the call belongs to. Class C1.",
    "call_id": "Graph's id of the call record. Class C1.",
    "version": "Graph's version of the record. Class C0.",
    "revision": "Ringback's revision of the version: the greater (version, revision) wins. Class C0.",
}
_STORED_AT = "When the row was last written, the store's clock, UTC."
_HISTORY = {"first_stored_at": "When this version was first stored, UTC.", "stored_at": _STORED_AT}
_PLACE = {
    "topic": "Topic of the dead letter, by the contract's name, without the installation's prefix.",
    "partition": "Partition of the dead letter.",
    "offset": "Offset of the dead letter.",
}
_STATUS = {
    "process": "Process and part, e.g. fetch/tenants.",
    "instance": "Id of the process instance, new at each start.",
    "tenant_id": "The tenant it is about; empty for the process itself.",
    "reported_at": "When the process says so, its own clock, UTC.",
    "state": "ok, waiting, paused, halted or failing; in status_now also unknown.",
    "detail": "What the part knows more, as JSON.",
}

COLUMNS: Mapping[str, Mapping[str, str]] = {
    "call": {
        "call_key": "Number of the call in this store; another store has another. Class C0.",
        "document": "Graph's JSON as it came, every page. Class C3.",
        "stored_at": _STORED_AT,
    },
    "call_version": _HISTORY,
    "call_version_row": _HISTORY,
    "dead_letter": _PLACE
    | {
        "source_topic": "Topic of the refused record, by the contract's name.",
        "source_partition": "Partition of the refused record.",
        "source_offset": "Offset of the refused record.",
        "source_timestamp": "Timestamp of the refused record, UTC.",
        "service": "Process that refused it.",
        "reason": "Why it was refused, one of a fixed list.",
        "error_class": "Class of the failure, a field path or Graph's code; never a message.",
        "fingerprint": "Equal ones are equal faults.",
        "attempts": "How often it was tried.",
        "tenant_id": "Tenant of the refused record's key. Class C1.",
        "call_id": "Call of the refused record's key. Class C1.",
        "octets": "Size of the refused value. Unit: bytes.",
        "at": "When the broker took the dead letter, UTC.",
        "stored_at": _STORED_AT,
    },
    "dead_letter_decision": _PLACE
    | {
        "decision": "release or discard.",
        "decided_by": "The actor of the audit entry.",
        "why": "What the actor gave as the reason, e.g. a ticket.",
        "at": "When the broker took the audit entry, UTC.",
        "stored_at": _STORED_AT,
    },
    "status": _STATUS | {"stored_at": _STORED_AT},
    "alembic_version": {"version_num": "Number of the newest revision that was applied."},
    "freshness": {
        "tenant_id": _IDS["tenant_id"],
        "newest_stored_at": "When a version of this tenant was last stored, UTC.",
        "age_seconds": "Seconds since then.",
        "calls_last_hour": "Calls of which a version was first stored in the last hour, each counted once.",
        "received_to_stored_p50_ms": "From notification to store, median of the last hour's versions. Unit: ms.",
        "received_to_stored_p95_ms": "The same, 95th percentile. Unit: ms.",
        "received_to_stored_p99_ms": "The same, 99th percentile. Unit: ms.",
        "fetched_to_stored_p50_ms": "From fetch to store, median of the last hour's versions. Unit: ms.",
        "fetched_to_stored_p99_ms": "The same, 99th percentile. Unit: ms.",
    },
    "settled_call": _IDS
    | {
        "type": "groupCall, peerToPeer or another; open enumeration. Class C0.",
        "start_date_time": "Start of the call, UTC. Class C0.",
        "end_date_time": "End of the call, UTC. Class C0.",
        "settled_at": "Four hours after its newest version was first stored, UTC.",
    },
    "call_timeline": _IDS
    | {
        "at": "When it happened, UTC.",
        "event": "call_started, call_ended, or of a version modified, received, fetched, stored.",
        "since_previous_ms": "Since the event before it of the same call. Unit: ms.",
    },
    "status_now": _STATUS | {"age_seconds": "Seconds since the report, by the earlier of both clocks."},
}
"""By table or view: its columns that bear no field of the contract."""

_OF_CALL = (*columns.CALL, columns.CALL_KEY)
_TEXT_KEY = tuple(column for column in columns.CALL if column.name in {"tenant_id", "call_id"})
_CHILDREN = {"participant": columns.PARTICIPANT, "session": columns.SESSION, "stream": columns.STREAM}
_CONTRACTED = {
    "call": columns.CALL,
    "call_version": columns.CALL,
    "call_version_row": _OF_CALL,
    **{table: (*_TEXT_KEY, *described) for table, described in _CHILDREN.items()},
    **{f"{table}_row": described for table, described in _CHILDREN.items()},
}
"""A version has some of a call's columns; what a relation does not have is left out when comments are written."""


def comments() -> Iterator[tuple[str, str | None, str]]:
    """Relation, column or None for the relation itself, and the sentence."""
    for relation, sentence in RELATIONS.items():
        yield relation.partition(" ")[2], None, sentence
    for table, described in _CONTRACTED.items():
        for column in described:
            yield table, column.name, column.comment
    for relation, told in COLUMNS.items():
        for name, sentence in told.items():
            yield relation, name, sentence
