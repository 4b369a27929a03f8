"""Who takes part in a call, by the judge's own reading of Graph's JSON. Pure.

Graph names a person in an identity set, whose member says the kind, or in a single identity, whose id does.
"""

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from ringback_faults.contents.values import objects, shape, text

__all__ = ["Identity", "Parties", "identity_of_side", "is_service"]

_MEMBERS = {
    "user": "user", "guest": "guest", "phone": "phone", "azureCommunicationServicesUser": "guest", "acsUser": "guest",
    "spoolUser": "user", "onPremises": "user", "applicationInstance": "application", "application": "application",
    "azureApplicationInstance": "application", "acsApplicationInstance": "application",
    "spoolApplicationInstance": "application",
}  # fmt: skip
"""Member of an identity set → kind, the preferred first."""
_TYPES = {"useridentity": "user", "communicationsuseridentity": "user", "communicationsguestidentity": "guest"}
_IDS = (
    (re.compile(r"(8:)?teamsvisitor:.*", re.IGNORECASE), "guest"),
    (re.compile(r"8:acs:.*", re.IGNORECASE), "guest"),
    (re.compile(r"28:.*"), "application"),
    (re.compile(r"8:.*"), "user"),
    (re.compile(r"(tel:|4:).+|\+?\d[\d*]+|\*+", re.IGNORECASE), "phone"),
)
_GUID = re.compile(r"[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}", re.IGNORECASE)


class Identity(NamedTuple):
    """Whom Graph names: the kind as far as this mention says it, and the id."""

    kind: str
    id: str | None
    name: str | None


class Parties:
    """Everybody of a call, once each: organizer, participants in Graph's order, then the sides of the sessions."""

    def __init__(self, graph: Mapping[str, Any]) -> None:
        self.found: list[Identity] = []
        self._places: dict[str, int] = {}
        organizer = _entry(graph.get("organizer_v2")) or _entry(graph.get("organizer"))
        listed = _named(graph.get("participants_v2")) or _named(graph.get("participants"))
        for identity in ([organizer] if organizer else []) + listed:
            self.place(identity)

    def place(self, identity: Identity) -> int:
        """The index of a person, new or met before; a later mention completes what an earlier one left open."""
        name = identity.id.lower() if identity.id else f"\0{identity.kind}\0{identity.name}"
        if name not in self._places:
            self._places[name] = len(self.found)
            self.found.append(identity)
        place = self._places[name]
        if self.found[place].kind == "unknown":
            self.found[place] = self.found[place]._replace(kind=identity.kind)
        return place


def identity_of_side(side: Any) -> Identity | None:
    """Who is at one side of a session; None for a service and for one without a name."""
    members = shape(side)
    return _single(members.get("associatedIdentity"), None) or _of_set(members.get("identity"))


def is_service(side: Any) -> bool:
    """Whether a side is a part of Teams itself."""
    return str(shape(side).get("@odata.type", "")).lower().endswith("serviceendpoint")


def _named(entries: Any) -> list[Identity]:
    return [found for entry in objects(entries) if (found := _entry(entry)) is not None]


def _entry(entry: Any) -> Identity | None:
    """An element of participants_v2 or the organizer: a set in `identity`, or, in old payloads, the set itself."""
    members = shape(entry)
    if (found := _of_set(members.get("identity"))) is not None:
        return found if found.id else found._replace(id=text(members.get("id")))
    return _single(members, None) if "id" in members else _of_set(members)


def _of_set(value: Any) -> Identity | None:
    members = shape(value)
    order = [*_MEMBERS, *(name for name in members if name not in _MEMBERS)]
    return next((found for name in order if (found := _single(members.get(name), _MEMBERS.get(name)))), None)


def _single(value: Any, kind: str | None) -> Identity | None:
    members = shape(value)
    key, name = text(members.get("id")), text(members.get("displayName")) or text(members.get("userPrincipalName"))
    return Identity(_kind(members, key, kind), key, name) if key or name else None


def _kind(members: Mapping[str, Any], key: str | None, of_member: str | None) -> str:
    shaped = next((kind for form, kind in _IDS if key and form.fullmatch(key)), None)
    typed = _TYPES.get(str(members.get("@odata.type", "")).rpartition(".")[2].lower())
    guessed = "user" if members.get("userPrincipalName") or (key and _GUID.fullmatch(key)) else "unknown"
    return shaped or typed or of_member or guessed
