"""From a dead letter back to the record it was."""

from datetime import datetime, timedelta
from enum import StrEnum

from pydantic import ValidationError
from ringback_common.outcomes import Message, MessageHeaders, Received
from ringback_events.fetch import FetchRequest
from ringback_events.header_names import DEAD_LETTER_PREFIX, LAST_ATTEMPTS, REPLAY, RUN
from ringback_events.topics import ALL_TOPICS, AUDIT, CONTROL, FETCH_BULK, FETCH_LANES

from ringback_cli.core.letters import letter_of

__all__ = ["KEPT_BY_GRAPH", "Unreleasable", "release_of", "released_to"]

KEPT_BY_GRAPH = timedelta(days=30)
"""The enricher drops a request for an older call without asking."""

_FETCH_LANES = frozenset(topic.name for topic in FETCH_LANES)
_STATE = frozenset({AUDIT.name, CONTROL.name})
"""What is refused of these is not to be said again: the trail and the state of today are written by those who act."""
_SOURCES = frozenset(topic.name for topic in ALL_TOPICS if topic.dead_letters is not None)
_OF_THE_LAST_WAY = LAST_ATTEMPTS | {REPLAY, RUN}
"""Attempts begin anew, and so does the trace: a release must not reopen one that is ten days old."""


class Unreleasable(StrEnum):
    """Why a dead letter stays where it is."""

    NO_SOURCE = "no_source"
    """It does not name a topic of the contract that it came from."""
    STATE = "state"
    """It comes from the audit trail or the control topic, which say what holds today."""
    TOO_OLD = "too_old"
    """Graph no longer has the call, and the enricher would drop the request."""


def release_of(received: Received, run: str, now: datetime) -> Message | Unreleasable:
    """The record a dead letter was, for its source topic; from any fetch lane for the bulk lane.

    That lane holds no live request back. Key, value and headers are the original ones, without what the refusal and the
    last way through the retry tiers added. Two headers are new: `ringback_replay: true`, and `ringback_run` with the
    run of the command.
    """
    source = letter_of(received).source
    if source in _STATE:
        return Unreleasable.STATE
    target = released_to(source)
    if target is None:
        return Unreleasable.NO_SOURCE
    if source in _FETCH_LANES and _is_too_old(received.value, now):
        return Unreleasable.TOO_OLD
    return Message(target, received.key or b"", received.value, (*_original(received), *_marks(run)))


def released_to(source: str) -> str | None:
    """The topic to which what was refused from `source` is released; None if nothing is released from there."""
    if source in _STATE or source not in _SOURCES:
        return None
    return FETCH_BULK.name if source in _FETCH_LANES else source


def _original(received: Received) -> MessageHeaders:
    return tuple(
        (name, value or b"")
        for name, value in received.headers
        if not name.startswith(DEAD_LETTER_PREFIX) and name not in _OF_THE_LAST_WAY
    )


def _marks(run: str) -> MessageHeaders:
    return ((REPLAY, b"true"), (RUN, run.encode()))


def _is_too_old(value: bytes | None, now: datetime) -> bool:
    """What is no fetch request has no age; whether it is one by now, the enricher will say."""
    try:
        return now - FetchRequest.model_validate_json(value or b"").received_at > KEPT_BY_GRAPH
    except ValidationError:
        return False
