"""From Graph's JSON to the restricted record: where every derivation meets, and where a derived field is added."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain

from ringback_events.wire import CallRecordWire, QualityWire, SessionWire
from ringback_graph.parse import lacks_participants, lacks_sessions

from ringback_enricher.core.derive.feedback import worst_rating
from ringback_enricher.core.derive.field_reader import FieldReader, Members, objects, text, words
from ringback_enricher.core.derive.networks import Networks
from ringback_enricher.core.derive.ordinals import ordered, repeated_ids
from ringback_enricher.core.derive.parties import counts
from ringback_enricher.core.derive.party_index import PartyIndex
from ringback_enricher.core.derive.rules import Rules
from ringback_enricher.core.derive.session_failures import first_failure
from ringback_enricher.core.derive.sessions import session_of
from ringback_enricher.core.derive.sites import SiteMap
from ringback_enricher.core.derive.streams import Streams
from ringback_enricher.core.derive.verdicts import worst

__all__ = ["RecordContext", "RuleSet", "derive"]


@dataclass(frozen=True, slots=True)
class RuleSet:
    """What an installation judges by; its revision grows whenever one of these changes."""

    rules: Rules
    sites: SiteMap
    revision: int


@dataclass(frozen=True, slots=True)
class RecordContext:
    """What is known of a record beside its content; times as on the wire, ids canonical.

    `countries` are those the tenant's people dial from, ISO 3166-1 alpha-2; none where the tenants file names none.
    """

    tenant_id: str
    call_id: str
    received_at: str | None
    fetched_at: str
    countries: tuple[str, ...] = ()


def derive(graph: Members, context: RecordContext, tables: RuleSet) -> CallRecordWire:
    """Derive the whole restricted record. Total: any JSON object becomes a record; what cannot be derived is null.

    A record without a version gets 0, below every version of Graph's.
    """
    reader = FieldReader()
    networks = Networks(tables.sites, reader)
    streams = Streams(tables.rules, networks, reader)
    version = graph.get("version")
    span = reader.elapsed(graph.get("startDateTime"), graph.get("endDateTime"))
    modified = reader.span(graph.get("lastModifiedDateTime"), None).start
    found = ordered(objects(graph.get("sessions")))
    party_index = PartyIndex(graph)
    # All sides before any session: a session's kind and relation are its party's, which a later session may complete.
    named = [party_index.sides(session) for session in found]
    sessions = [
        session_of(session, ordinal, named[ordinal], context.tenant_id, streams, reader)
        for ordinal, session in enumerate(found)
    ]
    parties = party_index.wires(context.tenant_id)
    return {
        "tenantId": context.tenant_id,
        "callId": context.call_id,
        "version": (0 if version is None else reader.whole(version)) or 0,
        "revision": tables.revision,
        "type": text(graph.get("type")) or "unknown",
        "modalities": words(graph.get("modalities")),
        "startDateTime": span.start,
        "endDateTime": span.end,
        "durationMs": span.milliseconds,
        "lastModifiedDateTime": modified,
        "receivedAt": context.received_at,
        "fetchedAt": context.fetched_at,
        "sessionCount": len(sessions),
        "counts": counts(parties),
        "quality": _quality(sessions, streams, tables.rules),
        "worstFeedback": worst_rating(_ratings(sessions)),
        "platforms": sorted(set(chain.from_iterable(party["platforms"] for party in parties))),
        "connectionTypes": sorted(set(chain.from_iterable(party["connectionTypes"] for party in parties))),
        "sites": sorted(set(chain.from_iterable(party["sites"] for party in parties))),
        "emergencySuspected": party_index.emergency_suspected(context.countries),
        "anomalies": {
            "negativeDurations": reader.negative_durations,
            "emptyNetworks": networks.empty,
            "repeatedSessionIds": repeated_ids(found),
            "missingParticipants": party_index.missing_participants(),
            "unparsableValues": reader.unparsable,
            "sessionsMissing": lacks_sessions(graph),
            "participantsMissing": lacks_participants(graph),
        },
        "failure": first_failure(session.get("failure") for session in sessions),
        "parties": parties,
        "sessions": sessions,
        "joinWebUrl": text(graph.get("joinWebUrl")),
        "graph": graph,
    }


def _ratings(sessions: list[SessionWire]) -> Iterator[str]:
    """Every rating, whether it is known whose it is or not."""
    sides = (side for session in sessions for side in (session.get("caller"), session.get("callee")) if side)
    return (rating for side in sides if (rating := side.get("feedbackRating")) is not None)


def _quality(sessions: list[SessionWire], streams: Streams, rules: Rules) -> QualityWire:
    return {
        "rulesVersion": rules.version,
        "verdict": worst(session["verdict"] for session in sessions),
        "audio": streams.tally("audio"),
        "video": streams.tally("video"),
        "screenSharing": streams.tally("screenSharing"),
        "other": streams.tally("other"),
    }
