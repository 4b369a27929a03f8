"""One party of a call: who it is, and what the sessions tell about it."""

from collections.abc import Iterable

from ringback_events.wire import CountsWire, PartyWire
from ringback_graph.parse import Identity, Kind

from ringback_enricher.core.derive.endpoint_roles import ACCOUNTS, EndpointRole
from ringback_enricher.core.derive.feedback import worst_rating
from ringback_enricher.core.derive.phones import country_of
from ringback_enricher.core.derive.verdicts import worst

__all__ = ["PartyBuilder", "counts", "merged", "relation"]

_USER = Kind.USER.value
_ASIDE = frozenset({EndpointRole.UNTOLD, EndpointRole.SERVER})
_CALLERS = frozenset({Kind.PHONE, Kind.GUEST})
"""Their ids or Graph's own words leave no doubt that nobody's resource account is meant."""
_PEOPLE = _CALLERS | {Kind.USER}


def relation(tenant_id: str | None, call_tenant: str) -> str:
    """How somebody of a tenant stands to the call's tenant; nobody's tenant tells nothing."""
    if not tenant_id:
        return "unknown"
    return "internal" if tenant_id.lower() == call_tenant else "external"


def merged(known: Identity, other: Identity) -> Identity:
    """What two mentions of one identity tell together; the earlier mention wins where they differ.

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
    """One party and what its sessions tell about it."""

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
        "session_count",
        "sites",
        "spans",
        "standings",
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
        self.standings: set[EndpointRole] = set()
        self.spans: list[tuple[int, int]] = []
        self.platforms: set[str] = set()
        self.connection_types: set[str] = set()
        self.sites: set[str] = set()
        self.verdicts: set[str] = set()
        self.ratings: set[str] = set()

    def kind(self) -> Kind:
        """What the identity is; the account of a service is an application, however the identity is written.

        A number stays a phone and a visitor a guest: they call through services, and are none. Known once all sides of
        all sessions are.
        """
        known = self.identity.kind
        return Kind.APPLICATION if known not in _CALLERS and self._is_service() else known

    def took_part(self, *, all_are_told: bool) -> bool:
        """Whether a session shows the party, or Graph lists it; not if nothing but its voicemail answered.

        An organizer is named whether they joined or not (Graph: organizer_v2 may be who booked the meeting): who is
        neither listed nor in a session did not, where all who took part are told.
        """
        if self.session_count > 0 or self.is_listed_voicemail or EndpointRole.VOICEMAIL in self.standings:
            return self.session_count > 0
        return self.in_participants or not all_are_told

    def is_present_person(self) -> bool:
        """Whether somebody, not an application, is listed or in a session."""
        return self.took_part(all_are_told=True) and self.kind() in _PEOPLE

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

    def wire(self, call_tenant: str, *, all_are_told: bool) -> PartyWire:
        """The party as the record carries it."""
        identity = self.identity
        return {
            "index": self.index,
            "kind": self.kind().value,
            "relation": relation(identity.tenant_id, call_tenant),
            "isOrganizer": self.is_organizer,
            "inParticipants": self.in_participants,
            "tookPart": self.took_part(all_are_told=all_are_told),
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
        if EndpointRole.ACCOUNT in self.standings or (self.identity.id or "").lower() in ACCOUNTS:
            return True
        if EndpointRole.SERVICE in self.standings:
            return EndpointRole.CLIENT not in self.standings
        seen_aside = bool(self.standings) and self.standings <= _ASIDE
        return seen_aside and not (self.in_participants or self.is_organizer)


def counts(parties: Iterable[PartyWire]) -> CountsWire:
    """Who took part, as counts; `parties` counts whoever is named."""
    everybody = list(parties)
    present = [party for party in everybody if party.get("tookPart")]
    kinds = [party["kind"] for party in present]
    users, guests, phones = kinds.count(_USER), kinds.count(Kind.GUEST.value), kinds.count(Kind.PHONE.value)
    return {
        "parties": len(everybody),
        "people": users + guests + phones,
        "users": users,
        "guests": guests,
        "externals": sum(party["kind"] == _USER and party["relation"] == "external" for party in present),
        "phones": phones,
        "applications": kinds.count(Kind.APPLICATION.value),
    }
