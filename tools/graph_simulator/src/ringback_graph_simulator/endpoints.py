"""The two ends of a session: people's endpoints and Teams' services."""

import random
from typing import Any

from ringback_graph_simulator.people import Person

__all__ = ["feedback_of", "participant_endpoint", "service_endpoint"]

Json = dict[str, Any]
_TYPE = "#microsoft.graph.callRecords."
_RATINGS = (("notRated", 10), ("bad", 10), ("poor", 15), ("fair", 15), ("good", 25), ("excellent", 25))
_TOKENS = ("NoSound", "OtherNoSound", "Echo", "Noisy", "LowVolume", "Stopped", "DistortedSound", "Interruptions")
_TEXTS = (None, None, "", "Ton war weg 😕", "très bien", 'sagte "hallo", keiner hört')


def participant_endpoint(person: Person, *, old: bool) -> Json:
    """A person's end of a session, without feedback."""
    body: Json = {"@odata.type": f"{_TYPE}participantEndpoint", "userAgent": person.user_agent, **person.hardware}
    if old:
        body["identity"] = person.old_identity_set
    else:
        body["associatedIdentity"] = person.identity
    return body


def service_endpoint(rng: random.Random, role: str) -> Json:
    """Teams' own end; one in ten has a client's user agent and no role, as seen in the field (graph.md 3.1)."""
    if rng.random() < 0.1:
        agent: Json = {
            "@odata.type": f"{_TYPE}clientUserAgent",
            "headerValue": None,
            "applicationVersion": None,
            "platform": "unknown",
            "productFamily": "unknown",
        }
    else:
        agent = {"@odata.type": f"{_TYPE}serviceUserAgent", "headerValue": None, "role": role}
    return {"@odata.type": f"{_TYPE}serviceEndpoint", "userAgent": agent}


def feedback_of(rng: random.Random) -> Json:
    """A user's rating, with a token set whose names Graph does not promise."""
    rating = rng.choices([name for name, _ in _RATINGS], [weight for _, weight in _RATINGS])[0]
    body: Json = {"rating": rating, "text": rng.choice(_TEXTS)}
    if rng.random() < 0.6:
        body["tokens"] = {token: rng.random() < 0.3 for token in rng.sample(_TOKENS, 3)}
    return body
