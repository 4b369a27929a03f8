"""That something failed, and what Graph says about it."""

from collections.abc import Iterable
from typing import Any

from ringback_events.wire import FailureWire

from ringback_enricher.core.readings import Members, is_silent, members, text

__all__ = ["first_failure", "session_failure"]

_UNKNOWN = "unknown"


def session_failure(session: Members, segments: list[Members]) -> FailureWire | None:
    """The session's failure, else its first failed segment's; neither proves that the session succeeded.

    A segment has one if any of its streams failed, a session if any of its segments did (Graph: segment, session).
    """
    return first_failure(_failure(each.get("failureInfo")) for each in (session, *segments))


def first_failure(failures: Iterable[FailureWire | None]) -> FailureWire | None:
    """The first that tells a stage or a reason; else the first that says no more than that something failed."""
    found = [failure for failure in failures if failure is not None]
    return next((failure for failure in found if _tells(failure)), found[0] if found else None)


def _tells(failure: FailureWire) -> bool:
    return failure["stage"] != _UNKNOWN or failure.get("reason") is not None


def _failure(value: Any) -> FailureWire | None:
    """A `failureInfo` whose members are all null or empty is none: nothing failed."""
    told = members(value)
    if is_silent(told):
        return None
    return {"stage": text(told.get("stage")) or _UNKNOWN, "reason": text(told.get("reason")) or None}
