"""One side of a session: what kind of client or service it was."""

from typing import Any

from ringback_events.wire import EndpointWire
from ringback_graph import parse

from ringback_enricher.core.parties import Party, relation
from ringback_enricher.core.readings import Readings, members

__all__ = ["endpoint"]


def endpoint(value: Any, party: Party | None, call_tenant: str, readings: Readings) -> EndpointWire | None:
    """Derive a caller or callee; its kind and relation are its party's, whose identity all mentions together made.

    Graph pairs a service endpoint with a client's user agent at times: both kinds of members are read from either.
    """
    if not isinstance(value, dict):
        return None
    side = members(value)
    agent, feedback, cores = members(side.get("userAgent")), members(side.get("feedback")), side.get("cpuCoresCount")
    service = parse.is_service(side)
    return {
        "party": party.index if party else None,
        "kind": party.identity.kind.value if party else ("service" if service else "unknown"),
        "relation": relation(party.identity.tenant_id, call_tenant) if party else "unknown",
        "isService": service,
        "role": v if type(v := agent.get("role")) is str else None,
        "platform": v if type(v := agent.get("platform")) is str else None,
        "productFamily": v if type(v := agent.get("productFamily")) is str else None,
        "applicationVersion": v if type(v := agent.get("applicationVersion")) is str else None,
        "cpuCores": None if cores is None else readings.whole(cores),
        "feedbackRating": v if type(v := feedback.get("rating")) is str else None,
        "userAgent": v if type(v := agent.get("headerValue")) is str else None,
        "machineName": v if type(v := side.get("name")) is str else None,
        "feedbackText": v if type(v := feedback.get("text")) is str else None,
    }
