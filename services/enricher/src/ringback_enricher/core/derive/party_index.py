"""The parties of a record: organizer, participants and the sides of its sessions, each party once."""

from collections import deque
from itertools import product
from typing import Any, NamedTuple, cast

from ringback_events.wire import PartyWire
from ringback_graph import parse
from ringback_graph.parse import Identity, Kind

from ringback_enricher.core.derive.emergency import is_emergency_number
from ringback_enricher.core.derive.endpoint_roles import CLIENTS, NAMED_ASIDE, REACHED, EndpointRole, endpoint_role
from ringback_enricher.core.derive.field_reader import Members, members, objects
from ringback_enricher.core.derive.parties import PartyBuilder, merged

__all__ = ["NamedParty", "PartyIndex"]

_MAY_BE_VOICEMAIL = CLIENTS | {EndpointRole.UNKNOWN}
"""Endpoints without a role: whether they are a voicemail is read from the list of participants."""
_SHORT = 10
"""Characters with `+`: extensions and emergency numbers are shorter, numbers with a country's code and area longer."""


class NamedParty(NamedTuple):
    """The party named at one side of a session, and its role there."""

    party: PartyBuilder | None
    role: EndpointRole
    endpoint: Any
    """The side itself; that of the first segment where the session lacks it."""

    def attending(self) -> PartyBuilder | None:
        """The party if it takes part itself: not if its voicemail answered, and not a user named beside a service.

        Call it after all sides of all sessions were added: an identity may become complete by a later one.
        """
        if self.role is EndpointRole.VOICEMAIL:
            return None
        aside = self.role in NAMED_ASIDE and self.party is not None and self.party.kind() is Kind.USER
        return None if aside else self.party


class PartyIndex:
    """The parties of one record, by a stable index: organizer, participants in Graph's order, sessions by ordinal.

    Mentions with the same id, or the same whole number, are one party. A mention without an id, or with a masked
    number, can be recognised by its name or mask only: `participants_v2` is "a list of distinct participants" (Graph:
    callRecord), so each such entry is a party of its own, and sessions with that name are dealt to them in turn.
    """

    def __init__(self, record: Members) -> None:
        self.parties: list[PartyBuilder] = []
        self._known: dict[str, PartyBuilder] = {}
        self._alike: dict[tuple[str, Kind], deque[PartyBuilder]] = {}
        self._is_peer_to_peer = record.get("type") == "peerToPeer"
        organizer = parse.organizer(record)
        if organizer is not None:
            self._added(organizer).is_organizer = True
        for identity in parse.participants(record):
            self._list(identity)
        self._lists_participants = any(party.in_participants for party in self.parties)

    def sides(self, session: Members) -> tuple[NamedParty, NamedParty]:
        """The caller and callee of a session; notes on both parties who called and who was called."""
        caller, callee = self.side(_endpoint(session, "caller")), self.side(_endpoint(session, "callee"))
        reached = callee.party is not None and callee.role in REACHED
        if callee.party is not None:
            callee.party.was_called = True
        if caller.party is not None and (reached or self._is_peer_to_peer):
            caller.party.has_called = True
        return caller, callee

    def side(self, endpoint: Any) -> NamedParty:
        """The party named at an endpoint, added if it is new; none for a service and without an identity."""
        identity, how = parse.endpoint_identity(endpoint), endpoint_role(endpoint)
        if identity is None or identity.kind is Kind.SERVICE:
            return NamedParty(None, how, endpoint)
        key = _key(identity)
        found = self._next_alike(identity) if key is None else self._known.get(key)
        party = self._added(identity) if found is None else self._completed(found, identity)
        if identity.is_voicemail or (party.is_listed_voicemail and how in _MAY_BE_VOICEMAIL):
            how = EndpointRole.VOICEMAIL
        party.roles.add(how)
        return NamedParty(party, how, endpoint)

    def wires(self, call_tenant: str) -> list[PartyWire]:
        """The parties as the record carries them; call it after all sessions were derived."""
        complete = self._is_complete()
        return [party.wire(call_tenant, list_is_complete=complete) for party in self.parties]

    def _is_complete(self) -> bool:
        """Whether all who took part are listed or in a session.

        `participants_v2` lists those in the call, and early versions may lack sessions. A call has at least two people:
        a record that shows one only, or lists a participant without a session, may lack another.
        """
        if sum(party.is_present_person() for party in self.parties) > 1:
            return True
        met = (bool(party.roles) or party.is_listed_voicemail for party in self.parties if party.in_participants)
        return all(met) and any(party.session_count for party in self.parties)

    def missing_participants(self) -> int:
        """Parties seen in sessions that Graph's list omits; without a list nothing was omitted."""
        if not self._lists_participants:
            return 0
        return sum(party.session_count > 0 and not party.in_participants for party in self.parties)

    def emergency_suspected(self, countries: tuple[str, ...]) -> bool:
        """Whether a party is an emergency number of one of these countries, and may have been dialled.

        A caller was not dialled: a short number that calls is an extension of a private exchange. In a group call every
        party is the caller of a session with the conference, the dialled ones too.
        """
        numbers = (party.identity.phone for party in self.parties if party.may_be_dialled())
        return any(is_emergency_number(number, countries) for number in numbers if number)

    def _list(self, identity: Identity) -> None:
        """Add an entry of the list of participants; one with a name only may be the organizer, but no other entry.

        A party counts as a voicemail if each of its entries is one.
        """
        found = self._found(identity) or self._organizer_alike(identity)
        party = self._added(identity) if found is None else self._completed(found, identity)
        party.is_listed_voicemail = identity.is_voicemail and (party.is_listed_voicemail or not party.in_participants)
        party.in_participants = True

    def _found(self, identity: Identity) -> PartyBuilder | None:
        key = _key(identity)
        return None if key is None else self._known.get(key)

    def _organizer_alike(self, identity: Identity) -> PartyBuilder | None:
        first = self.parties[0] if self.parties else None
        if first is None or not first.is_organizer or first.in_participants:
            return None
        by_name = _is_nameless(identity) and None in {_key(identity), _key(first.identity)}
        alike = by_name and not _traits(identity).keys().isdisjoint(_traits(first.identity))
        return first if alike and _fits(first, identity) else None

    def _next_alike(self, identity: Identity) -> PartyBuilder | None:
        """One of the parties with the same name, in turn: each gets as many sessions as the others."""
        kinds, traits = _likely(identity), _traits(identity)
        alike = next((found for key in product(traits, kinds) if (found := self._alike.get(key))), None)
        if alike is None or not _fits(alike[0], identity):
            return None
        alike.rotate(-1)
        return alike[-1]

    def _added(self, identity: Identity) -> PartyBuilder:
        party = PartyBuilder(len(self.parties), identity)
        self.parties.append(party)
        self._know(party, identity)
        if _is_nameless(identity):
            for trait in _traits(identity):
                self._alike.setdefault((trait, identity.kind), deque()).append(party)
        return party

    def _completed(self, party: PartyBuilder, identity: Identity) -> PartyBuilder:
        if identity != party.identity:
            party.identity = merged(party.identity, identity)
            self._know(party, identity)
        return party

    def _know(self, party: PartyBuilder, identity: Identity) -> None:
        if (key := _key(identity)) is not None:
            self._known.setdefault(key, party)


def _endpoint(session: Members, side: str) -> Any:
    """A side of a session, or that of its first segment that has one: Graph puts the same endpoint on both."""
    endpoint: Any = session.get(side)
    if endpoint and type(endpoint) is dict:
        return cast("Members", endpoint)
    of_segments = (members(each.get(side)) for each in objects(session.get("segments")))
    return next((found for found in of_segments if found), endpoint)


def _key(identity: Identity) -> str | None:
    """What identifies a party: a number or an id, in lower case as Graph's members differ in it; None without either.

    A long number is the same with `+` and without: that two parties of one call have the same digits, one of them with
    a country's and the other without, is left out of account. An extension such as 112 may well be another than +112.
    """
    name = identity.phone or identity.id
    if name is None or parse.is_nobody(name):
        return None
    return name[1:] if name[0] == "+" and len(name) > _SHORT else name.lower()


def _is_nameless(identity: Identity) -> bool:
    return not identity.has_own_id or _key(identity) is None


def _traits(identity: Identity) -> dict[str, None]:
    """What a party without an id is recognised by: a masked number, else the name, else the word for a withheld number.

    The name first: a number may be withheld in one place by a name and a word, in another by the word alone.
    """
    number = identity.phone or identity.id or ""
    if "*" in number:
        return {number.lower(): None}
    name = identity.display_name or identity.user_principal_name or ""
    traits = (name, number if not name or parse.is_withheld(number) else "")
    return {trait.lower(): None for trait in traits if trait}


def _likely(identity: Identity) -> tuple[Kind, ...]:
    """The kinds of those whom this identity may be: its own first, any where either kind is a guess."""
    unsure = Kind.UNKNOWN is identity.kind or identity.is_guess
    return (identity.kind, *(each for each in Kind if unsure or each is Kind.UNKNOWN))


def _fits(party: PartyBuilder, identity: Identity) -> bool:
    return party.identity.kind in _likely(identity)
