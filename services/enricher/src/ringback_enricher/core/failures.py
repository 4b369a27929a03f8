"""That something failed, and what Graph says about it."""

from typing import Any, cast

from ringback_events.wire import FailureWire

from ringback_enricher.core.readings import Members, text

__all__ = ["session_failure"]


def session_failure(session: Members, segments: list[Members]) -> FailureWire | None:
    """The session's failure, else its first failed segment's; neither proves that the session succeeded."""
    if session.get("failureInfo"):
        return _failure(session["failureInfo"])
    for segment in segments:
        if segment.get("failureInfo"):
            return _failure(segment["failureInfo"])
    return None


def _failure(value: Any) -> FailureWire | None:
    if not isinstance(value, dict):
        return None
    told = cast("Members", value)
    return {"stage": text(told.get("stage")) or "unknown", "reason": text(told.get("reason"))}
