"""What an endpoint says of whoever is named beside it: a person, a service's own account, or somebody's voicemail."""

from enum import Enum, auto
from typing import Any

from ringback_graph import parse

from ringback_enricher.core.derive.field_reader import Members, members, text

__all__ = ["ACCOUNTS", "CLIENTS", "NAMED_ASIDE", "REACHED", "EndpointRole", "role"]

ACCOUNTS = frozenset({"9e133cac-5238-4d1e-aaa0-d8ff4ca23f4e"})
"""Ids of services that Graph names as it names people: the virtual assistant of conferences."""

_VOICEMAIL = frozenset({"voicemail", "exchangeUnifiedMessagingService"})
_GATEWAYS = frozenset(
    {"gateway", "mediationServer", "mediationServerCloudConnectorEdition", "skypeForBusinessMicrosoftTeamsGateway"}
)
"""Behind these are people of another network: the one who is named is the one who speaks."""
_ACCOUNT_ROLES = frozenset(
    {"customBot", "responseGroupService", "skypeForBusinessAutoAttendant", "skypeForBusinessCallQueues"}
)
_SERVERS = frozenset(
    {
        *("skypeForBusinessAudioVideoMcu", "skypeForBusinessApplicationSharingMcu"),
        *("mediaController", "audioTeleconferencerController"),
    }
)
"""They mix and steer media and have no account: whoever is named there belongs to the call, not to the endpoint."""
_UNTOLD = frozenset({"", "unknown", "unknownFutureValue"})


class EndpointRole(Enum):
    """How whoever is named at an endpoint takes part there."""

    CLIENT = auto()
    """Through a client of theirs, on a platform that is known."""
    PERSON = auto()
    """Through a client of theirs, as the type of the endpoint says."""
    GATEWAY = auto()
    """Through a gateway that is a service endpoint."""
    ACCOUNT = auto()
    """Not at all: what is named is the account of an attendant, a queue or a bot."""
    SERVICE = auto()
    """Not at all: what is named is the account of another service, unless it is met at a client."""
    SERVER = auto()
    """Not at all: what is named beside a media server is not the server's account."""
    VOICEMAIL = auto()
    """Not at all: their voicemail answered."""
    UNTOLD = auto()
    """A service endpoint that tells no role."""


CLIENTS = frozenset({EndpointRole.CLIENT, EndpointRole.PERSON})
NAMED_ASIDE = frozenset({EndpointRole.SERVICE, EndpointRole.SERVER})
"""Where a person who is named does not take part: they do so elsewhere."""
REACHED = CLIENTS | {EndpointRole.ACCOUNT, EndpointRole.GATEWAY, EndpointRole.VOICEMAIL}
"""Where whoever is named is whom a caller has reached, not a conference that callers and called are in alike."""
_OF_ROLES = {
    **dict.fromkeys(_VOICEMAIL, EndpointRole.VOICEMAIL),
    **dict.fromkeys(_ACCOUNT_ROLES, EndpointRole.ACCOUNT),
    **dict.fromkeys(_SERVERS, EndpointRole.SERVER),
}


def role(endpoint: Any) -> EndpointRole:
    """What the role of an endpoint says (Graph: serviceUserAgent, `serviceRole`); any pairing of types is tolerated.

    A role that nobody knows yet is a service's, as only services have roles.
    """
    agent = members(members(endpoint).get("userAgent"))
    role = text(agent.get("role"))
    if role is None or role in _UNTOLD:
        return EndpointRole.UNTOLD if parse.is_service(endpoint) else _client(agent)
    if role in _GATEWAYS:
        return EndpointRole.GATEWAY if parse.is_service(endpoint) else EndpointRole.PERSON
    return _OF_ROLES.get(role, EndpointRole.SERVICE)


def _client(agent: Members) -> EndpointRole:
    platform = text(agent.get("platform"))
    return EndpointRole.PERSON if platform is None or platform in _UNTOLD else EndpointRole.CLIENT
