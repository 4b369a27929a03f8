"""The role of an endpoint: a person's client, a gateway, the account of a service, a media server, a voicemail."""

from enum import Enum, auto
from typing import Any

from ringback_graph import parse

from ringback_enricher.core.derive.field_reader import Members, members, text

__all__ = ["ACCOUNTS", "CLIENTS", "NAMED_ASIDE", "REACHED", "EndpointRole", "endpoint_role"]

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
"""They mix and steer media and have no account: an identity named there is a party's, not the endpoint's own."""
_NO_ROLE = frozenset({"", "unknown", "unknownFutureValue"})


class EndpointRole(Enum):
    """How the party named at an endpoint takes part there."""

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
    UNKNOWN = auto()
    """A service endpoint without a role."""


CLIENTS = frozenset({EndpointRole.CLIENT, EndpointRole.PERSON})
NAMED_ASIDE = frozenset({EndpointRole.SERVICE, EndpointRole.SERVER})
"""Roles at which a named person does not take part; they do so at another endpoint, if at all."""
REACHED = CLIENTS | {EndpointRole.ACCOUNT, EndpointRole.GATEWAY, EndpointRole.VOICEMAIL}
"""Roles of a callee that the caller has reached itself, not a conference that both are in."""
_OF_ROLES = {
    **dict.fromkeys(_VOICEMAIL, EndpointRole.VOICEMAIL),
    **dict.fromkeys(_ACCOUNT_ROLES, EndpointRole.ACCOUNT),
    **dict.fromkeys(_SERVERS, EndpointRole.SERVER),
}


def endpoint_role(endpoint: Any) -> EndpointRole:
    """What the role of an endpoint says (Graph: serviceUserAgent, `serviceRole`); any pairing of types is tolerated.

    An unknown role is a service's, as only services have roles.
    """
    agent = members(members(endpoint).get("userAgent"))
    role = text(agent.get("role"))
    if role is None or role in _NO_ROLE:
        return EndpointRole.UNKNOWN if parse.is_service(endpoint) else _client(agent)
    if role in _GATEWAYS:
        return EndpointRole.GATEWAY if parse.is_service(endpoint) else EndpointRole.PERSON
    return _OF_ROLES.get(role, EndpointRole.SERVICE)


def _client(agent: Members) -> EndpointRole:
    platform = text(agent.get("platform"))
    return EndpointRole.PERSON if platform is None or platform in _NO_ROLE else EndpointRole.CLIENT
