"""That something failed, and what Graph says about it."""

from collections.abc import Iterable
from typing import Any

from ringback_events.wire import FailureWire

from ringback_enricher.core.derive.field_reader import Members, filled, is_silent, members

__all__ = ["first_failure", "session_failure"]

_UNKNOWN = "unknown"
_UNNAMED = frozenset({_UNKNOWN, "unknownFutureValue"})


def session_failure(session: Members, segments: list[Members]) -> FailureWire | None:
    """The most specific failure of the session and its segments; without one the session may still have failed.

    A segment has one if any of its streams failed, a session if any of its segments did (Graph: segment, session).
    """
    return first_failure(_failure(each.get("failureInfo")) for each in (session, *segments))


def first_failure(failures: Iterable[FailureWire | None]) -> FailureWire | None:
    """The first of the most specific ones: with a reason, else with a known stage, else any."""
    return max((failure for failure in failures if failure is not None), key=_telling, default=None)


def _telling(failure: FailureWire) -> tuple[bool, bool]:
    return failure.get("reason") is not None, failure["stage"] not in _UNNAMED


def _failure(value: Any) -> FailureWire | None:
    """A `failureInfo` whose members are all null or empty is none: nothing failed."""
    failure = members(value)
    if not failure or is_silent(failure):
        return None
    return {"stage": filled(failure.get("stage")) or _UNKNOWN, "reason": filled(failure.get("reason"))}
