"""Records about who took part and for how long."""

from collections.abc import Iterator
from itertools import permutations, product
from typing import Any

from ringback_testing.derivation.shapes import Json, call, listing, with_side
from ringback_testing.derivation.values import IDS, NUMBERS, PHONES, RATINGS
from ringback_testing.graph_records import ALICE, BOB, PARTNER, TENANT, service, session, side

__all__ = ["people"]

_MEMBERS = (
    *("user", "guest", "phone", "azureCommunicationServicesUser", "acsUser", "spoolUser", "onPremises"),
    *("applicationInstance", "application", "azureApplicationInstance", "acsApplicationInstance"),
    *("spoolApplicationInstance", "assertedIdentity", "encrypted", "device", "tomorrow"),
)
_TYPES = (
    *("communicationsUserIdentity", "userIdentity", "teamworkUserIdentity", "communicationsGuestIdentity"),
    *("communicationsPhoneIdentity", "communicationsApplicationIdentity", "communicationsApplicationInstanceIdentity"),
    *("azureCommunicationServicesUserIdentity", "identity", "COMMUNICATIONSGUESTIDENTITY"),
)
_ODD: tuple[Any, ...] = (None, 7, [], "x", {})
_EMPTY: tuple[Json, ...] = (
    {}, {"user": {}}, {"user": None}, {"user": {"id": ""}}, {"user": "x"}, {"": {"id": "nameless"}},
)  # fmt: skip


def people() -> dict[str, list[Json]]:
    """The cases, by the matter that each is about."""
    return {
        "identity sets": [*_identity_sets()],
        "identities": [*_identities()],
        "parties": [*_parties()],
        "one party in several spellings": [*_alike()],
        "phone numbers": [listing({"phone": {"id": number}}) for number in PHONES],
        "emergency numbers": [*_emergency_numbers()],
        "endpoints": [*_endpoints()],
        "ratings": [
            *(_rated(*pair) for pair in product(RATINGS, repeat=2)),
            *(_rated_again(*three) for three in product((None, *RATINGS[::3], 7), repeat=3)),
        ],
        "attendance": [*_attendances()],
        "roles": [*_roles()],
    }


def _identity_sets() -> Iterator[Json]:
    for number, name in enumerate(_MEMBERS):
        yield listing({name: {"id": "opaque", "displayName": name}})
        yield listing({name: {"id": None, "displayName": name}, "user": None})
        for other in _MEMBERS[number + 1 :]:
            yield listing({other: {"id": "second"}, name: {"id": "first"}})
    for empty in _EMPTY:
        yield listing(empty)
        yield {"id": "c", "participants_v2": [{"id": "outer", "identity": empty}, None, 7, {}]}
        yield {"id": "c", "organizer_v2": {"identity": empty}, "organizer": {"user": {"id": ALICE}}}
    for inner, outer in product(({"displayName": "only a name"}, {"id": "inner"}), ("outer", "", None, 7)):
        yield {"id": "c", "participants_v2": [{"id": outer, "identity": {"user": inner}}]}
    old: list[Json] = [{"user": {"id": ALICE}}, {"phone": {"id": "+33140205050"}}]
    new_lists: tuple[Any, ...] = ([], [{"id": BOB}], [{}], None)
    for new in new_lists:
        yield {"id": "c", "participants_v2": new, "participants": old}


def _identities() -> Iterator[Json]:
    more: tuple[Json, ...] = (
        {},
        {"userPrincipalName": "a@b.example"},
        {"displayName": "A"},
        {"@odata.type": "#useridentity"},
    )
    for name in IDS:
        yield listing({"user": {"id": name}})
        yield from (with_side(side({"id": name} | each)) for each in more)
    for type_, name in product(_TYPES, ("opaque", IDS[22], "28:bot", None)):
        yield with_side(side({"id": name, "displayName": "A", "@odata.type": f"#microsoft.graph.{type_}"}))
    yield with_side(side({"userPrincipalName": "only@contoso.example"}))
    yield with_side(side({"id": 7, "displayName": [], "tenantId": {}}))
    yield with_side(side({"id": "opaque", "@odata.type": 7}))


def _parties() -> Iterator[Json]:
    yield from _mentions()
    for tenant in (TENANT, TENANT.upper(), PARTNER, "", None, 7):
        yield listing({"user": {"id": ALICE, "tenantId": tenant}})
        yield with_side(side({"id": "teamsvisitor:1", "tenantId": tenant}))
    nameless: tuple[Json, ...] = (
        {"displayName": "A"},
        {"displayName": "A"},
        {"displayName": "B"},
        {"userPrincipalName": "A"},
    )
    spelled: tuple[Json, ...] = tuple({"id": f"{prefix}+4930901820"} for prefix in ("", "tel:", "4:"))
    for named in (nameless, spelled, ({"id": "x"}, {"id": "X", "tenantId": PARTNER})):
        yield call(*(session(f"s{n}", side(each), service()) for n, each in enumerate(named)))
    yield listing({"user": {"id": BOB}}) | with_side(side({"id": ALICE}))
    yield with_side(side({"id": BOB})) | {"organizer_v2": {"identity": {"user": {"id": ALICE}}}}
    kinds = ("user", "user", "guest", "phone", "phone", "phone", "application", "device")
    tenants = (TENANT, PARTNER, PARTNER, None, None, None, TENANT, None)
    sets: list[Json] = [{kind: {"id": f"p{n}", "tenantId": tenants[n]}} for n, kind in enumerate(kinds)]
    yield from (listing(*sets[:many]) for many in range(1, len(sets) + 1))


def _alike() -> Iterator[Json]:
    """People and numbers in several spellings, and those of whom nothing but a name or a mask is known."""
    ids = (
        ALICE,
        f"8:orgid:{ALICE}",
        f"28:orgid:{ALICE}",
        f"28:{ALICE}",
        f"8:{ALICE}",
        "8:teamsvisitor:ab",
        "teamsvisitor:ab",
    )
    numbers = ("+15205550177", "4:+15205550177", "TEL:+1-520-555-0177", "15205550177", "+15205550177;ext=5")
    numbers += ("tel:+15205550177;phone-context=x", "+112", "112", "+1 (520) 555-0177")
    for first, second in permutations((*ids, *numbers), 2):
        yield listing({"user": {"id": first}}) | with_side(side({"id": second}))
    nobody: tuple[Json, ...] = (
        *({"displayName": "Anonymous"}, {"displayName": "ANONYMOUS"}, {"displayName": "B"}, {"id": "+4930123***"}),
        *(
            {"id": "4:anonymous"},
            {"id": "anonymous", "displayName": "B"},
            {"id": "p-2"},
            {"id": "p-1", "displayName": "Anonymous"},
        ),
    )
    for keys, each in product(((), (None,), ("p-1", "p-2"), (None, "p-2"), ("+15205550177",)), nobody):
        entries = [{"id": key, "identity": {"phone": each}} for key in keys]
        sessions = call(*(session(f"s{n}", side(other), service()) for n, other in enumerate((each, *nobody, each))))
        yield sessions | {"participants_v2": entries}
        yield sessions | {"participants_v2": entries, "organizer_v2": {"id": "p-2", "identity": {"phone": each}}}
        yield sessions | {"participants": [{kind: each} for kind in ("phone", "user")], "organizer": {"phone": each}}


def _mentions() -> Iterator[Json]:
    """One identity named twice, each time without another of its members."""
    full = {"id": ALICE, "displayName": "Alice", "userPrincipalName": "alice@contoso.example", "tenantId": TENANT}
    other = {"id": ALICE.upper(), "displayName": "Other", "userPrincipalName": "o@x.example", "tenantId": PARTNER}
    for lacking in (*full, None):
        mention = {name: value for name, value in full.items() if name != lacking}
        for first, second in permutations((mention, other)):
            yield listing({"user": first}) | with_side(side(second))
            yield with_side(side(first)) | {"organizer_v2": {"identity": {"user": second}}}
            yield call(session("s", side(first), side({"@odata.type": "#x.guestIdentity"} | second)))
    for pair in permutations(("user", "phone", "device"), 2):
        yield listing(*({kind: {"id": "front desk"}} for kind in pair))
    phones = ({"id": "+4930901820"}, {"id": "+4930901820", "displayName": "Front desk"})
    yield call(*(session(f"s{n}", side(each), service()) for n, each in enumerate(phones)))


def _emergency_numbers() -> Iterator[Json]:
    yield from (listing({"phone": {"id": f"{number:03}"}}) for number in range(1000))
    spelled = ("+112", "tel:112", "tel:+911", " 112 ", "0112", "1120", "+49112", "4:112", "4:tel:112")
    yield from (listing({"phone": {"id": number}}) for number in ("*", "**", "***", "****", "*****", *spelled))
    yield listing({"user": {"id": ALICE}}, {"phone": {"id": "112"}})
    phone, server = side({"id": "112"}), service() | {"associatedIdentity": {"id": ALICE}}
    attendant = side({"id": BOB}, userAgent={"role": "skypeForBusinessAutoAttendant"})
    for kind, other, organizer in product(
        ("peerToPeer", "groupCall"), (side({"id": ALICE}), service(), server, attendant), (None, "112")
    ):
        named: Json = {"type": kind, "organizer_v2": organizer and {"identity": {"phone": {"id": organizer}}}}
        yield call(session("s", phone, other), **named)
        yield call(session("s", other, phone), **named)


def _endpoints() -> Iterator[Json]:
    kinds = ("participantEndpoint", "serviceEndpoint", "ServiceEndpoint", "endpoint", None)
    for kind, named in product(kinds, (None, {"id": ALICE}, {"id": "x", "displayName": "Y"})):
        whole: Json = side(named) | {"@odata.type": kind and f"#microsoft.graph.callRecords.{kind}", "cpuCoresCount": 8}
        whole["userAgent"] |= {"role": "conferencing", "applicationVersion": "1.2.3"}
        yield with_side(whole)
        yield with_side(service(), whole)
    old = {"@odata.type": "#x.participantEndpoint", "identity": {"user": {"id": BOB, "displayName": "Bob"}}}
    yield with_side(old, old | {"associatedIdentity": {"id": ALICE}})
    for odd in _ODD:
        yield with_side(side(None, userAgent=odd, feedback=odd, name=odd, cpuCoresCount=odd))
        yield call(session("s", side({"id": ALICE}), service()) | {"caller": odd})
        for member in ("role", "platform", "productFamily", "applicationVersion", "headerValue"):
            yield with_side(side(None, userAgent={member: odd or "word"}))
        for member in ("rating", "text"):
            yield with_side(side({"id": ALICE}, feedback={member: odd or "word"}))
    yield from (with_side(side(None, cpuCoresCount=value)) for value in NUMBERS)


def _roles() -> Iterator[Json]:
    """Every role, at each type of endpoint, with a person, a number, the known assistant and no party beside it."""
    roles = (
        *(
            "skypeForBusinessAutoAttendant",
            "skypeForBusinessCallQueues",
            "voicemail",
            "exchangeUnifiedMessagingService",
        ),
        *("customBot", "gateway", "mediationServer", "mediationServerCloudConnectorEdition", "newIn2030"),
        *("skypeForBusinessMicrosoftTeamsGateway", "skypeForBusinessAudioVideoMcu", "unknown", "", None, 7),
        *("mediaController", "responseGroupService", "skypeTranslator"),
    )
    named = (
        {"id": BOB},
        {"id": "+15205550177"},
        {"id": "teamsvisitor:ab"},
        {"id": "anonymous"},
        {"id": "9e133cac-5238-4d1e-aaa0-d8ff4ca23f4e"},
        None,
    )
    lists: tuple[Json, ...] = (
        {},
        listing({"user": {"id": ALICE}}),
        listing({"user": {"id": ALICE}}, {"user": {"id": BOB}}),
    )
    for role, kind, identity in product(roles, ("participantEndpoint", "serviceEndpoint"), named):
        at = side(identity, userAgent={"role": role}) | {"@odata.type": f"#microsoft.graph.callRecords.{kind}"}
        theirs = ((), *((session("t", side({"id": BOB}, name), service()),) for name in ("windows", "unknown")))
        for listed, more in product(lists, theirs):
            sessions = (session("s", side({"id": ALICE}), at), *more)
            yield listed | call(*sessions)
            yield listed | call(*sessions) | {"organizer_v2": {"identity": {"user": {"id": BOB, "endpointType": role}}}}
    for kind in ("voicemail", "default", None):
        old = {"user": {"id": BOB}, "endpointType": kind}
        yield listing(old) | with_side(side({"id": ALICE}), {"identity": old})
        yield listing(old) | with_side(side({"id": ALICE}))
        yield listing(old, {"user": {"id": BOB}}) | with_side(side({"id": ALICE}), side({"id": BOB}))
        yield listing(old) | with_side(side({"id": ALICE}), side({"id": BOB}))
        yield with_side(side({"id": ALICE}), side({"id": BOB}) | {"identity": old})


def _rated(*ratings: str) -> Json:
    rated = (side({"id": f"p{n}"}, feedback={"rating": rating}) for n, rating in enumerate(ratings))
    return call(*(session(f"s{n}", each, service()) for n, each in enumerate(rated)))


def _rated_again(first: Any, *others: Any) -> Json:
    """A session whose side was rated, and whose segments were, by the same side and the other."""
    said, *again = ({"rating": each, "text": f"{each} {n}"} for n, each in enumerate((first, *others)))
    one = session("s", side({"id": ALICE}, feedback=said), side({"id": BOB}))
    return call(
        one | {"segments": [{"caller": side(None, feedback=each), "callee": {"feedback": said}} for each in again]}
    )


def _attendances() -> Iterator[Json]:
    spans = [_span(*minutes) for minutes in ((0, 30), (10, 20), (20, 40), (45, 50), (50, 59), (5, 5), (30, 10))]
    alice, bob = side({"id": ALICE}, feedback={"rating": "bad"}), side({"id": BOB}, "iOS", feedback={"rating": "fair"})
    for pair in permutations(spans, 2):
        yield call(*(session(f"s{n}", alice, bob) | each for n, each in enumerate(pair)))
    yield call(*(session(f"s{n}", alice, service()) | each for n, each in enumerate(spans)))
    yield with_side(alice, bob)
    platforms = ("windows", "iOS", "android", "macOS", "web", "ipPhone", "linux", "unknown")
    yield call(*(session("s", side({"id": ALICE}, platform), service()) for platform in platforms))
    yield with_side(alice, side({"id": ALICE}, "iOS", feedback={"rating": "good"}))


def _span(start: int, end: int) -> Json:
    return {"startDateTime": f"2026-11-02T09:{start:02}:00Z", "endDateTime": f"2026-11-02T09:{end:02}:00.0009Z"}
