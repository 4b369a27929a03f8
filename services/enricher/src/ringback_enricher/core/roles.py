"""What an endpoint says of whoever is named beside it: a person, a service's own account, or somebody's voicemail."""

from enum import Enum, auto
from typing import Any

from ringback_graph import parse

from ringback_enricher.core.readings import members, text

__all__ = ["ACCOUNTS", "Standing", "standing"]

ACCOUNTS = frozenset({"9e133cac-5238-4d1e-aaa0-d8ff4ca23f4e"})
"""Ids of services that Graph names as it names people: the virtual assistant of conferences."""

_VOICEMAIL = frozenset({"voicemail", "exchangeUnifiedMessagingService"})
_GATEWAYS = frozenset(
    {"gateway", "mediationServer", "mediationServerCloudConnectorEdition", "skypeForBusinessMicrosoftTeamsGateway"}
)
"""Behind these are people of another network: the one who is named is the one who speaks."""
_UNTOLD = frozenset({"", "unknown", "unknownFutureValue"})


class Standing(Enum):
    """How whoever is named at an endpoint takes part there."""

    PERSON = auto()
    """Through a client of theirs."""
    GATEWAY = auto()
    """Through a gateway that is a service endpoint."""
    SERVICE = auto()
    """Not at all: what is named is the account of an attendant, a queue, a bot or another service."""
    VOICEMAIL = auto()
    """Not at all: their voicemail answered."""
    UNTOLD = auto()
    """A service endpoint that tells no role."""


def standing(endpoint: Any) -> Standing:
    """What the role of an endpoint says (Graph: serviceUserAgent, `serviceRole`); any pairing of types is tolerated.

    A role that nobody knows yet is a service's, as only services have roles.
    """
    role = text(members(members(endpoint).get("userAgent")).get("role"))
    if role is None or role in _UNTOLD:
        return Standing.UNTOLD if parse.is_service(endpoint) else Standing.PERSON
    if role in _GATEWAYS:
        return Standing.GATEWAY if parse.is_service(endpoint) else Standing.PERSON
    return Standing.VOICEMAIL if role in _VOICEMAIL else Standing.SERVICE
