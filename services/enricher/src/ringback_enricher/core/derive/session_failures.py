"""That something failed, and what Graph says about it."""

from collections.abc import Iterable
from typing import Any

from ringback_events.wire import FailureWire

from ringback_enricher.core.derive.field_reader import Members, filled, is_silent, members

__all__ = ["first_failure", "session_failure"]

_UNKNOWN = "unknown"
_UNTOLD = frozenset({_UNKNOWN, "unknownFutureValue"})


def session_failure(session: Members, segments: list[Members]) -> FailureWire | None:
    """The failure of the session or of one of its segments that tells most; none proves that the session succeeded.

    A segment has one if any of its streams failed, a session if any of its segments did (Graph: segment, session).
    """
    return first_failure(_failure(each.get("failureInfo")) for each in (session, *segments))


def first_failure(failures: Iterable[FailureWire | None]) -> FailureWire | None:
    """The first of those that tell most: a reason says why, a stage only when, and an unknown one not even that."""
    return max((failure for failure in failures if failure is not None), key=_telling, default=None)


def _telling(failure: FailureWire) -> tuple[bool, bool]:
    return failure.get("reason") is not None, failure["stage"] not in _UNTOLD


def _failure(value: Any) -> FailureWire | None:
    """A `failureInfo` whose members are all null or empty is none: nothing failed."""
    told = members(value)
    if not told or is_silent(told):
        return None
    return {"stage": filled(told.get("stage")) or _UNKNOWN, "reason": filled(told.get("reason"))}
