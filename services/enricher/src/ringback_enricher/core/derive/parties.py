"""One party of a call: its identity, and what is derived about it from the sessions."""

from collections.abc import Iterable

from ringback_events.wire import CountsWire, PartyWire
from ringback_graph.parse import Identity, Kind

from ringback_enricher.core.derive.endpoint_roles import ACCOUNTS, EndpointRole
from ringback_enricher.core.derive.feedback import worst_rating
from ringback_enricher.core.derive.phones import country_of
from ringback_enricher.core.derive.verdicts import worst

__all__ = ["PartyBuilder", "counts", "merged", "relation"]

_USER = Kind.USER.value
_ASIDE = frozenset({EndpointRole.UNKNOWN, EndpointRole.SERVER})
_CALLERS = frozenset({Kind.PHONE, Kind.GUEST})
"""Kinds that are certain by their id or Graph's own word: never a resource account."""
_PEOPLE = _CALLERS | {Kind.USER}


def relation(tenant_id: str | None, call_tenant: str) -> str:
    """Whether a party's tenant is the call's own (`internal`), another (`external`) or not given (`unknown`)."""
    if not tenant_id:
        return "unknown"
    return "internal" if tenant_id.lower() == call_tenant else "external"


def merged(known: Identity, other: Identity) -> Identity:
    """Two mentions of one identity as one; where they differ the earlier mention wins.

    Identity sets name the kind, a session's single identity only lets it be guessed: participants come first. Of a
    number with and without its `+` the one with it says more.
    """
    fuller = other if known.phone is not None and other.phone == f"+{known.phone}" else known
    return Identity(
        known.kind if known.kind is not Kind.UNKNOWN else other.kind,
        fuller.id or other.id,
        known.display_name or other.display_name,
        known.user_principal_name or other.user_principal_name,
        known.tenant_id or other.tenant_id,
        fuller.phone or other.phone,
        known.has_own_id or other.has_own_id,
    )


class PartyBuilder:
    """Collects what is known of one party while the sessions are derived."""

    __slots__ = (
        "connection_types",
        "has_called",
        "identity",
        "in_participants",
        "index",
        "is_listed_voicemail",
        "is_organizer",
        "platforms",
        "ratings",
        "roles",
        "session_count",
        "sites",
        "spans",
        "verdicts",
        "was_called",
    )

    def __init__(self, index: int, identity: Identity) -> None:
        self.index = index
        self.identity = identity
        self.is_organizer = False
        self.in_participants = False
        self.is_listed_voicemail = False
        self.has_called = False
        self.was_called = False
        self.session_count = 0
        self.roles: set[EndpointRole] = set()
        self.spans: list[tuple[int, int]] = []
        self.platforms: set[str] = set()
        self.connection_types: set[str] = set()
        self.sites: set[str] = set()
        self.verdicts: set[str] = set()
        self.ratings: set[str] = set()

    def kind(self) -> Kind:
        """What the identity is; the account of a service is an application, however the identity is written.

        A phone number and a guest keep their kind: they call through services without being one. Call it after all
        sides of all sessions were added.
        """
        known = self.identity.kind
        return Kind.APPLICATION if known not in _CALLERS and self._is_service() else known

    def took_part(self, *, list_is_complete: bool) -> bool:
        """Whether a session shows the party, or Graph lists it; not if nothing but its voicemail answered.

        An organizer is named whether they joined or not (Graph: organizer_v2 may be who booked the meeting): who is
        neither listed nor in a session did not join, if the list of those who did is complete.
        """
        if self.session_count > 0 or self.is_listed_voicemail or EndpointRole.VOICEMAIL in self.roles:
            return self.session_count > 0
        return self.in_participants or not list_is_complete

    def is_present_person(self) -> bool:
        """Whether the party is a person, not an application, and listed or in a session."""
        return self.took_part(list_is_complete=True) and self.kind() in _PEOPLE

    def may_be_dialled(self) -> bool:
        """Whether the party was called, or at least is not known to have called: a number as organizer has."""
        return self.was_called or not (self.has_called or self.is_organizer)

    def joined_ms(self) -> int | None:
        """Time in the call: the union of its sessions; None if no session has both ends."""
        if not self.spans:
            return None
        total, reached = 0, self.spans[0][0]
        for start, end in sorted(self.spans):
            total += max(0, end - max(start, reached))
            reached = max(reached, end)
        return total // 1000

    def wire(self, call_tenant: str, *, list_is_complete: bool) -> PartyWire:
        """The party as the record carries it."""
        identity = self.identity
        return {
            "index": self.index,
            "kind": self.kind().value,
            "relation": relation(identity.tenant_id, call_tenant),
            "isOrganizer": self.is_organizer,
            "inParticipants": self.in_participants,
            "tookPart": self.took_part(list_is_complete=list_is_complete),
            "countryCode": country_of(identity.phone) if identity.phone else None,
            "platforms": sorted(self.platforms),
            "connectionTypes": sorted(self.connection_types),
            "sites": sorted(self.sites),
            "sessionCount": self.session_count,
            "joinedMs": self.joined_ms(),
            "verdict": worst(self.verdicts),
            "feedbackRating": worst_rating(self.ratings),
            "id": identity.id,
            "displayName": identity.display_name,
            "userPrincipalName": identity.user_principal_name,
            "phoneNumber": identity.phone,
            "homeTenantId": identity.tenant_id,
        }

    def _is_service(self) -> bool:
        """An account's role is enough, another service's unless a client is theirs too, on a platform that is known.

        Without such a role, a party that is seen at service endpoints alone, and is neither listed nor the organizer.
        """
        if EndpointRole.ACCOUNT in self.roles or (self.identity.id or "").lower() in ACCOUNTS:
            return True
        if EndpointRole.SERVICE in self.roles:
            return EndpointRole.CLIENT not in self.roles
        seen_aside = bool(self.roles) and self.roles <= _ASIDE
        return seen_aside and not (self.in_participants or self.is_organizer)


def counts(parties: Iterable[PartyWire]) -> CountsWire:
    """Numbers of parties that took part, by kind; `parties` counts every named one."""
    named = list(parties)
    present = [party for party in named if party.get("tookPart")]
    kinds = [party["kind"] for party in present]
    users, guests, phones = kinds.count(_USER), kinds.count(Kind.GUEST.value), kinds.count(Kind.PHONE.value)
    return {
        "parties": len(named),
        "people": users + guests + phones,
        "users": users,
        "guests": guests,
        "externals": sum(party["kind"] == _USER and party["relation"] == "external" for party in present),
        "phones": phones,
        "applications": kinds.count(Kind.APPLICATION.value),
    }
