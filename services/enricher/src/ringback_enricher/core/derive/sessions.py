"""One leg of a call."""

from ringback_events.wire import EndpointWire, SessionWire

from ringback_enricher.core.derive.endpoints import endpoint
from ringback_enricher.core.derive.field_reader import FieldReader, Members, TimeSpan, objects, text, words
from ringback_enricher.core.derive.parties import PartyBuilder
from ringback_enricher.core.derive.party_index import NamedParty
from ringback_enricher.core.derive.session_failures import session_failure
from ringback_enricher.core.derive.streams import Sides, Streams
from ringback_enricher.core.derive.verdicts import worst

__all__ = ["session_of"]


def session_of(
    session: Members,
    ordinal: int,
    named: tuple[NamedParty, NamedParty],
    call_tenant: str,
    streams: Streams,
    reader: FieldReader,
) -> SessionWire:
    """Derive a session; adds its times, networks and devices to the parties that attend it."""
    sides = Sides(named[0].attending(), named[1].attending())
    segments = objects(session.get("segments"))
    _check_segments(segments, reader)
    span = reader.elapsed(session.get("startDateTime"), session.get("endDateTime"))
    callers, callees = ([each.get(side) for each in segments] for side in ("caller", "callee"))
    caller = endpoint(callers, named[0], call_tenant, reader)
    callee = endpoint(callees, named[1], call_tenant, reader)
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


def _check_segments(segments: list[Members], reader: FieldReader) -> None:
    """A segment's times enter no event; that they are odd does."""
    for segment in segments:
        reader.elapsed(segment.get("startDateTime"), segment.get("endDateTime"))


def _attend(party: PartyBuilder | None, side: EndpointWire | None, span: TimeSpan) -> None:
    if party is None or side is None:
        return
    party.session_count += 1
    if span.started is not None and span.ended is not None and not span.is_negative:
        party.spans.append((span.started, span.ended))
    if (platform := side.get("platform")) is not None:
        party.platforms.add(platform)
    if (rating := side.get("feedbackRating")) is not None:
        party.ratings.add(rating)
