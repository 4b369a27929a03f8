"""Who a party is, from every shape in which Graph names one.

Identity sets are open maps: beside the declared members (`user`, `phone`, `guest`, `applicationInstance`, ...) the wire
carries undeclared ones (`acsUser`, `spoolUser`, ...), usually all but one null. `associatedIdentity` is a single
identity whose kind is not stated; it follows from `@odata.type`, else from the shape of the id.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import lru_cache
from typing import Any, cast

from ringback_graph.parse.scalars import text
from ringback_graph.parse.spellings import is_guid, is_withheld, number_of, plain_id

__all__ = [
    "Identity",
    "Kind",
    "endpoint_identity",
    "identity",
    "identity_set",
    "is_service",
    "organizer",
    "participant_identity",
    "participants",
]


class Kind(StrEnum):
    """What a party is."""

    USER = "user"
    GUEST = "guest"
    """An anonymous visitor, or a user of Azure Communication Services, who has no account in any tenant."""
    PHONE = "phone"
    APPLICATION = "application"
    SERVICE = "service"
    """A part of Teams itself, such as the conference server of a meeting."""
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Identity:
    """One party as Graph names it; every text is Graph's own but for the one spelling of `id` and `phone`.

    The id of a phone is its number.
    """

    kind: Kind
    id: str | None
    display_name: str | None
    user_principal_name: str | None
    tenant_id: str | None
    phone: str | None
    """The number in one spelling, without `tel:`, `4:` and separators, for kind phone; None, or a word, if withheld."""
    has_own_id: bool = True
    """Whether the identity itself has an id; if not, `id` is that of the participant it belongs to, or None."""
    is_voicemail: bool = False
    """Whether its set names a voicemail as the endpoint (Graph: communicationsIdentitySet, `endpointType`)."""
    is_guess: bool = False
    """Whether the kind follows from no more than a word that stands where a number was withheld."""


_SERVICE = Identity(Kind.SERVICE, None, None, None, None, None)
_KIND_OF_MEMBER = {
    "user": Kind.USER,
    "guest": Kind.GUEST,
    "phone": Kind.PHONE,
    "azureCommunicationServicesUser": Kind.GUEST,
    "acsUser": Kind.GUEST,
    "spoolUser": Kind.USER,
    "onPremises": Kind.USER,
    "applicationInstance": Kind.APPLICATION,
    "application": Kind.APPLICATION,
    "azureApplicationInstance": Kind.APPLICATION,
    "acsApplicationInstance": Kind.APPLICATION,
    "spoolApplicationInstance": Kind.APPLICATION,
    "assertedIdentity": None,
    "encrypted": None,
    "device": None,
}
"""In order of preference where a set names several; None: the member does not tell the kind."""
_GUESSABLE = frozenset({Kind.USER, Kind.UNKNOWN})
"""Kinds that give way to a word for a withheld number: an unknown party may come under `user`."""
_KIND_OF_TYPE = {
    "communicationsuseridentity": Kind.USER,
    "useridentity": Kind.USER,
    "teamworkuseridentity": Kind.USER,
    "communicationsguestidentity": Kind.GUEST,
    "communicationsphoneidentity": Kind.PHONE,
    "communicationsapplicationidentity": Kind.APPLICATION,
    "communicationsapplicationinstanceidentity": Kind.APPLICATION,
    "azurecommunicationservicesuseridentity": Kind.GUEST,
}
_SHAPES = (
    (re.compile(r"(?:8:)?teamsvisitor:", re.IGNORECASE), Kind.GUEST),
    (re.compile(r"8:acs:", re.IGNORECASE), Kind.GUEST),
    (re.compile(r"28:"), Kind.APPLICATION),
    (re.compile(r"8:"), Kind.USER),
    (re.compile(r"(?:tel:|4:)\S", re.IGNORECASE), Kind.PHONE),
    (re.compile(r"\*+\Z"), Kind.PHONE),
)
"""Ids that tell the kind whatever member holds them: visitors come under `user`, a masked number may be all stars."""
_NUMBER = re.compile(r"\+?[0-9][0-9*]{1,30}(?:;|\Z)")
"""A number in one spelling, with parameters or without."""


def identity(value: object) -> Identity | None:
    """One identity object, e.g. `associatedIdentity`; None if it holds neither id nor name."""
    return _read(value, None)


def identity_set(value: object) -> Identity | None:
    """The party an identitySet or communicationsIdentitySet names: its first non-empty member, known ones first."""
    if not isinstance(value, dict):
        return None
    members = cast("dict[str, object]", value)
    found = _first_named(members)
    return replace(found, is_voicemail=True) if found is not None and _is_voicemail(members) else found


def participant_identity(value: object) -> Identity | None:
    """Whom an element of `participants_v2`, or `organizer_v2`, names; an old participant is the identity set itself."""
    if not isinstance(value, dict):
        return None
    entry = cast("dict[str, object]", value)
    found = identity_set(entry.get("identity"))
    if found is not None:
        return found if found.id is not None else _with_id(found, text(entry.get("id")) or None)
    return identity(entry) if "id" in entry else identity_set(entry)


def organizer(record: Mapping[str, Any]) -> Identity | None:
    """Who organised the call: `organizer_v2`, else `organizer` of payloads from before 2026-06-30."""
    return participant_identity(record.get("organizer_v2")) or participant_identity(record.get("organizer"))


def participants(record: Mapping[str, Any]) -> list[Identity]:
    """The named participants: `participants_v2`, else `participants`; entries without id and name are left out."""
    return _named(record.get("participants_v2")) or _named(record.get("participants"))


def endpoint_identity(value: object) -> Identity | None:
    """The party at one side of a session or segment: `associatedIdentity`, else the old `identity` set.

    The set tells a voicemail whichever of the two names the party. A service endpoint without either is the service
    itself.
    """
    if not isinstance(value, dict):
        return None
    endpoint = cast("dict[str, object]", value)
    old = endpoint.get("identity")
    found = identity(endpoint.get("associatedIdentity")) or identity_set(old)
    if found is not None and not found.is_voicemail and _is_voicemail(old):
        return replace(found, is_voicemail=True)
    return _SERVICE if found is None and is_service(endpoint) else found


def is_service(value: object) -> bool:
    """Whether an endpoint is marked as a `serviceEndpoint`."""
    return isinstance(value, dict) and _type_of(cast("dict[str, object]", value)) == "serviceendpoint"


def _is_voicemail(identities: object) -> bool:
    """Whether an identity set names such an endpoint (Graph: communicationsIdentitySet, `endpointType`)."""
    return isinstance(identities, dict) and cast("dict[str, object]", identities).get("endpointType") == "voicemail"


def _named(entries: object) -> list[Identity]:
    if not isinstance(entries, list):
        return []
    found = (participant_identity(entry) for entry in cast("Iterable[object]", entries))
    return [party for party in found if party is not None]


def _first_named(members: dict[str, object]) -> Identity | None:
    for name, kind in _KIND_OF_MEMBER.items():
        if members.get(name) is not None and (found := _read(members[name], kind)) is not None:
            return found
    unknown = (member for name, member in members.items() if name not in _KIND_OF_MEMBER)
    return next((found for member in unknown if (found := _read(member, None)) is not None), None)


def _with_id(nameless: Identity, key: str | None) -> Identity:
    """An identity without an id takes its participant's: an object id or, for a phone, a number (participantBase)."""
    if key is None:
        return nameless
    dialled = nameless.kind is Kind.PHONE and _shape(key) is Kind.PHONE
    number = number_of(key) if dialled else None
    return replace(nameless, id=number or plain_id(key), phone=number, has_own_id=dialled)


def _read(value: object, named: Kind | None) -> Identity | None:
    if not isinstance(value, dict):
        return None
    members = cast("dict[str, object]", value)
    key, name = text(members.get("id")) or None, text(members.get("displayName"))
    upn = text(members.get("userPrincipalName"))
    if key is None and not name and not upn:
        return None
    kind = _kind(members, key, named)
    is_guess = key is not None and kind in _GUESSABLE and is_withheld(key)
    kind = Kind.PHONE if is_guess else kind
    number = number_of(key) if kind is Kind.PHONE and key else None
    tenant_id, spelled = text(members.get("tenantId")), number or (plain_id(key) if key else None)
    return Identity(kind, spelled, name, upn, tenant_id, number, key is not None, is_guess=is_guess)


def _kind(members: dict[str, object], key: str | None, named: Kind | None) -> Kind:
    """The shape of the id, where it leaves no doubt; then the type; then the member; then a GUID is a user."""
    if key is not None and (shape := _shape(key)) is not None:
        return shape
    typed = _KIND_OF_TYPE.get(_type_of(members)) if "@odata.type" in members else None
    if typed or named:
        return typed or named or Kind.UNKNOWN
    is_object = key is not None and is_guid(plain_id(key))
    return Kind.USER if is_object or members.get("userPrincipalName") else Kind.UNKNOWN


# A record names the same few over and over: a hit costs a tenth of what the shapes do.
@lru_cache(maxsize=4096)
def _shape(key: str) -> Kind | None:
    """The kind that an id tells by itself; a GUID, with `8:orgid:` or `8:` or without, tells none."""
    if is_guid(key) or (key[:2] == "8:" and is_guid(plain_id(key))):
        return None
    shape = next((kind for shape, kind in _SHAPES if shape.match(key)), None)
    return Kind.PHONE if shape is None and _NUMBER.match(number_of(key)) else shape


def _type_of(members: dict[str, object]) -> str:
    """The last word of `@odata.type` in lower case: its casing has changed over the years."""
    name = members.get("@odata.type")
    return name.rpartition(".")[2].lower() if isinstance(name, str) else ""
