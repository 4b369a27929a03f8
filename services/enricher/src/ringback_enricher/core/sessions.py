"""One leg of a call."""

from ringback_events.wire import EndpointWire, SessionWire

from ringback_enricher.core.endpoints import endpoint
from ringback_enricher.core.failures import session_failure
from ringback_enricher.core.parties import Party
from ringback_enricher.core.readings import Members, Readings, Span, objects, text, words
from ringback_enricher.core.roster import Named
from ringback_enricher.core.streams import Sides, Streams
from ringback_enricher.core.verdicts import worst

__all__ = ["session_of"]


def session_of(
    session: Members,
    ordinal: int,
    named: tuple[Named, Named],
    call_tenant: str,
    streams: Streams,
    readings: Readings,
) -> SessionWire:
    """Derive a session, and tell the parties that attend it what it says about them."""
    sides = Sides(named[0].attending(), named[1].attending())
    segments = objects(session.get("segments"))
    _check_segments(segments, readings)
    span = readings.elapsed(session.get("startDateTime"), session.get("endDateTime"))
    callers, callees = ([each.get(side) for each in segments] for side in ("caller", "callee"))
    caller = endpoint(callers, named[0], call_tenant, readings)
    callee = endpoint(callees, named[1], call_tenant, readings)
    _attend(sides.caller, caller, span)
    if sides.callee is not sides.caller:
        _attend(sides.callee, callee, span)
    found = streams.of_session(segments, sides)
    is_test = session.get("isTest")
    return {
        "ordinal": ordinal,
        "sessionId": text(session.get("id")),
        "startDateTime": span.start,
        "endDateTime": span.end,
        "durationMs": span.milliseconds,
        "modalities": words(session.get("modalities")),
        "isTest": is_test if isinstance(is_test, bool) else None,
        "segmentCount": len(segments),
        "verdict": worst(stream["verdict"] for stream in found),
        "caller": caller,
        "callee": callee,
        "failure": session_failure(session, segments),
        "streams": found,
    }


def _check_segments(segments: list[Members], readings: Readings) -> None:
    """A segment's times enter no event; that they are odd does."""
    for segment in segments:
        readings.elapsed(segment.get("startDateTime"), segment.get("endDateTime"))


def _attend(party: Party | None, side: EndpointWire | None, span: Span) -> None:
    if party is None or side is None:
        return
    party.session_count += 1
    if span.started is not None and span.ended is not None and not span.is_negative:
        party.spans.append((span.started, span.ended))
    if (platform := side.get("platform")) is not None:
        party.platforms.add(platform)
    if (rating := side.get("feedbackRating")) is not None:
        party.ratings.add(rating)
