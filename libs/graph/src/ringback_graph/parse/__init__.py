"""The one parser of Graph's values: times, durations, numbers and identities.

Pure and total: every function takes any JSON value and answers None where the value cannot be read. Nothing here
imports an I/O library, so a service's `core` may use it.
"""

from ringback_graph.parse.completeness import lacks_participants, lacks_sessions, needs_participants
from ringback_graph.parse.identities import (
    Identity,
    Kind,
    endpoint_identity,
    identity,
    identity_set,
    is_service,
    organizer,
    participant_identity,
    participants,
)
from ringback_graph.parse.scalars import (
    duration_ms,
    epoch_micros,
    integer,
    number,
    text,
    timestamp,
    wire_timestamp,
)
from ringback_graph.parse.spellings import is_nobody, is_withheld, number_of, plain_id

__all__ = [
    "Identity",
    "Kind",
    "duration_ms",
    "endpoint_identity",
    "epoch_micros",
    "identity",
    "identity_set",
    "integer",
    "is_nobody",
    "is_service",
    "is_withheld",
    "lacks_participants",
    "lacks_sessions",
    "needs_participants",
    "number",
    "number_of",
    "organizer",
    "participant_identity",
    "participants",
    "plain_id",
    "text",
    "timestamp",
    "wire_timestamp",
]
