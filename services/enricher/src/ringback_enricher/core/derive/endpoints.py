"""One side of a session: what kind of client or service it was."""

from collections.abc import Iterable
from typing import Any

from ringback_events.wire import EndpointWire

from ringback_enricher.core.derive.endpoint_roles import CLIENTS
from ringback_enricher.core.derive.feedback import feedback_of
from ringback_enricher.core.derive.field_reader import FieldReader, members
from ringback_enricher.core.derive.parties import relation
from ringback_enricher.core.derive.party_index import NamedParty

__all__ = ["endpoint"]


def endpoint(
    of_segments: Iterable[Any], named: NamedParty, call_tenant: str, reader: FieldReader
) -> EndpointWire | None:
    """Derive a caller or callee; its kind and relation are its party's, whose identity all mentions together made.

    `of_segments` is the same side of each of the session's segments, for what was said there. Graph pairs a
    service endpoint with a client's user agent at times: both kinds of members are read from either.
    """
    if not isinstance(named.endpoint, dict):
        return None
    side = members(named.endpoint)
    agent, cores = members(side.get("userAgent")), side.get("cpuCoresCount")
    feedback = feedback_of((side, *of_segments))
    party, service = named.party, named.role not in CLIENTS
    return {
        "party": party.index if party else None,
        "kind": party.kind().value if party else ("service" if service else "unknown"),
        "relation": relation(party.identity.tenant_id, call_tenant) if party else "unknown",
        "isService": service,
        "role": v if type(v := agent.get("role")) is str else None,
        "platform": v if type(v := agent.get("platform")) is str else None,
        "productFamily": v if type(v := agent.get("productFamily")) is str else None,
        "applicationVersion": v if type(v := agent.get("applicationVersion")) is str else None,
        "cpuCores": None if cores is None else reader.whole(cores),
        "feedbackRating": feedback.rating,
        "userAgent": v if type(v := agent.get("headerValue")) is str else None,
        "machineName": v if type(v := side.get("name")) is str else None,
        "feedbackText": feedback.text,
    }
