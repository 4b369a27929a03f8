"""Identities, old and new."""

from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ringback_graph.parse import (
    Identity,
    Kind,
    endpoint_identity,
    identity,
    identity_set,
    is_service,
    number_of,
    organizer,
    participant_identity,
    participants,
    plain_id,
)

GUID = "821809f5-0000-0000-0000-3b5136c0e777"
MEMBERS = ["id", "displayName", "@odata.type", "user", "phone", "identity", "associatedIdentity", "participants_v2"]
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.sampled_from(["teamsvisitor:x", "+1", GUID]),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(MEMBERS) | st.text(max_size=8), inner, max_size=5)
    ),
    max_leaves=15,
)


def one(key: str | None, **more: object) -> dict[str, object]:
    """A single identity as the wire writes it."""
    return {"id": key, "displayName": None} | more


@pytest.mark.parametrize(
    ("key", "kind"),
    [
        (GUID, Kind.USER),
        (GUID.upper(), Kind.USER),
        ("8:orgid:" + GUID, Kind.USER),
        ("teamsvisitor:7b02ef6e48b84c6f8a4e6a6ba4d0d4c1", Kind.GUEST),
        ("8:teamsvisitor:ab", Kind.GUEST),
        ("8:acs:" + GUID, Kind.GUEST),
        ("+5564981205182", Kind.PHONE),
        ("tel:+4930123", Kind.PHONE),
        ("4:+4930123", Kind.PHONE),
        ("+4930123***", Kind.PHONE),
        ("***", Kind.PHONE),
        ("112", Kind.PHONE),
        ("28:" + GUID, Kind.APPLICATION),
        ("8:" + GUID, Kind.USER),
        ("+49 (30) 1234-567", Kind.PHONE),
        ("030 1234567", Kind.PHONE),
        ("+4930123;phone-context=x", Kind.PHONE),
        ("anonymous", Kind.PHONE),
        ("Restricted", Kind.PHONE),
        ("anonymous-1", Kind.UNKNOWN),
        ("p-1", Kind.UNKNOWN),
    ],
)
def test_the_shape_of_an_id_tells_the_kind(key: str, kind: Kind) -> None:
    """`associatedIdentity` states no kind, so the id's shape decides."""
    found = identity(one(key))
    assert found is not None
    assert (found.kind, found.id) == (kind, number_of(key) if kind is Kind.PHONE else plain_id(key))


@pytest.mark.parametrize(
    ("spelled", "plain"),
    [
        (GUID, GUID),
        (f"8:orgid:{GUID}", GUID),
        (f"8:OrgId:{GUID.upper()}", GUID.upper()),
        (f"8:{GUID}", GUID),
        (f"28:{GUID}", GUID),
        (f"28:orgid:{GUID}", GUID),
        ("8:teamsvisitor:ab", "teamsvisitor:ab"),
        (f"8:acs:{GUID}_0-1", f"8:acs:{GUID}_0-1"),
        ("8:orgid:ab", "8:orgid:ab"),
        (f"8:orgid:{GUID}0", f"8:orgid:{GUID}0"),
        ("28:bot-1", "28:bot-1"),
        ("8:live:ab", "8:live:ab"),
    ],
)
def test_an_id_has_one_spelling(spelled: str, plain: str) -> None:
    """The prefixes of chats fall off where the rest is an id of its own."""
    found = identity(one(spelled))
    assert found is not None
    assert found.id == plain_id(spelled) == plain


@pytest.mark.parametrize(
    ("spelled", "number"),
    [
        ("+15205550177", "+15205550177"),
        ("4:+15205550177", "+15205550177"),
        ("tel:+15205550177", "+15205550177"),
        ("TEL:4:+1-520-555-0177", "+15205550177"),
        ("tel:+1 (520) 555.01/77", "+15205550177"),
        ("+1520555\u00a00177", "+15205550177"),
        ("tel:+4930123***", "+4930123***"),
        ("4:112", "112"),
        ("front desk", "front desk"),
        ("+15205550177;ext=5", "+15205550177;ext=5"),
        ("tel:+1-520-555-0177;phone-context=x;EXT=5", "+15205550177;ext=5"),
        ("tel:+49301234567;phone-context=+49", "+49301234567"),
        ("110;phone-context=contoso.example", "110"),
        ("15205550177", "15205550177"),
        ("front desk;phone-context=x", "front desk;phone-context=x"),
        ("4:anonymous", "anonymous"),
    ],
)
def test_a_number_has_one_spelling(spelled: str, number: str) -> None:
    """Scheme, separators and context fall off, a line behind the number stays; so does what is no number.

    `15205550177` stays, too: it may be the American number, or a German mobile as it is dialled in Germany.
    """
    found = identity_set({"phone": one(spelled)})
    assert found is not None
    assert found.id == found.phone == number_of(spelled) == number


@pytest.mark.parametrize(
    ("member", "kind"),
    [("user", Kind.PHONE), ("somethingNew", Kind.PHONE), ("guest", Kind.GUEST), ("application", Kind.APPLICATION)],
)
def test_a_word_for_a_withheld_number_is_a_phone_unless_somebody_else_is_told(member: str, kind: Kind) -> None:
    """A user has an id; a guest or an application that is called so is what it is said to be."""
    found = identity_set({member: one("Anonymous")})
    assert found is not None
    assert (found.kind, found.is_guess) == (kind, kind is Kind.PHONE)


@pytest.mark.parametrize("member", ["applicationInstance", "guest"])
def test_a_prefixed_guid_tells_no_more_than_the_guid(member: str) -> None:
    """Its kind is the member's, as without the prefix; that of an application's prefix is an application."""
    kinds = [identity_set({member: one(key)}) for key in (GUID, f"8:orgid:{GUID}", f"28:orgid:{GUID}")]
    assert kinds[0] == kinds[1]
    assert kinds[2] is not None
    assert kinds[2].kind is Kind.APPLICATION


def test_a_phone_without_an_id_takes_the_number_of_its_participant() -> None:
    """If that is one; another id of the participant is no number, and the number stays withheld."""
    numbers = ("+15205550177", "p-1")
    found = [participant_identity({"id": each, "identity": {"phone": one(None, displayName="A")}}) for each in numbers]
    assert [each and (each.id, each.phone, each.has_own_id) for each in found] == [
        ("+15205550177", "+15205550177", True),
        ("p-1", None, False),
    ]


@pytest.mark.parametrize(
    ("type_name", "kind"),
    [
        ("#microsoft.graph.communicationsUserIdentity", Kind.USER),
        ("#microsoft.graph.callRecords.userIdentity", Kind.USER),
        ("#microsoft.graph.communicationsGuestIdentity", Kind.GUEST),
        ("#microsoft.graph.communicationsPhoneIdentity", Kind.PHONE),
        ("#Microsoft.Graph.communicationsapplicationidentity", Kind.APPLICATION),
        ("#microsoft.graph.communicationsApplicationInstanceIdentity", Kind.APPLICATION),
        ("#microsoft.graph.azureCommunicationServicesUserIdentity", Kind.GUEST),
        ("#microsoft.graph.somethingNew", Kind.USER),
    ],
)
def test_the_type_tells_the_kind_of_a_guid(type_name: str, kind: Kind) -> None:
    """The OData type decides where the id is a GUID; an unknown type leaves it a user."""
    found = identity(one(GUID) | {"@odata.type": type_name})
    assert found is not None
    assert found.kind is kind


@pytest.mark.parametrize(
    ("member", "kind"),
    [
        ("user", Kind.USER),
        ("guest", Kind.GUEST),
        ("phone", Kind.PHONE),
        ("acsUser", Kind.GUEST),
        ("spoolUser", Kind.USER),
        ("applicationInstance", Kind.APPLICATION),
        ("application", Kind.APPLICATION),
        ("acsApplicationInstance", Kind.APPLICATION),
        ("encrypted", Kind.UNKNOWN),
        ("somethingNew", Kind.UNKNOWN),
    ],
)
def test_the_member_of_a_set_tells_the_kind(member: str, kind: Kind) -> None:
    """Sets are open maps: declared and undeclared members are read alike."""
    found = identity_set({"user": None, "endpointType": "default", member: one("opaque-1")})
    assert found is not None
    assert found.kind is kind


def test_a_visitor_under_user_is_a_guest() -> None:
    """Graph lists visitors under `user`; the id tells better."""
    found = identity_set({"user": one("teamsvisitor:ab12")})
    assert found == Identity(Kind.GUEST, "teamsvisitor:ab12", None, None, None, None)


def test_everything_a_user_carries_is_kept() -> None:
    """Name, UPN and tenant of an associatedIdentity are read."""
    found = identity({"id": GUID, "displayName": "Ada", "tenantId": "t", "userPrincipalName": "ada@example.com"})
    assert found == Identity(Kind.USER, GUID, "Ada", "ada@example.com", "t", None)


def test_a_phone_gives_its_number() -> None:
    """The number of a phone is its id without the scheme."""
    found = identity_set({"user": None, "phone": one("tel:+4930123")})
    assert found is not None
    assert (found.kind, found.id, found.phone) == (Kind.PHONE, "+4930123", "+4930123")


@pytest.mark.parametrize("value", [None, {}, [], "x", {"id": None}, {"id": "", "displayName": ""}, {"id": 5}])
def test_nobody_is_none(value: object) -> None:
    """An identity without id and name names no person."""
    assert identity(value) is None
    assert identity_set({"user": value}) is None


def test_old_and_new_participants_read_alike() -> None:
    """`participants_v2` wins; old payloads fall back to `participants` and `organizer`."""
    user = {"user": one(GUID)}
    new: dict[str, object] = {"id": GUID, "identity": user, "administrativeUnitInfos": []}
    assert participants({"participants_v2": [new, None, {}]}) == participants({"participants": [user]})
    assert participants({"participants_v2": [], "participants": [user]}) == participants({"participants_v2": [new]})
    assert organizer({"organizer_v2": new}) == organizer({"organizer_v2": None, "organizer": user}) is not None
    assert participants({}) == []
    assert organizer({}) is None


def test_a_participant_without_an_identity_keeps_its_id() -> None:
    """The participant's own id stands in where its identity set is empty or has none."""
    assert participant_identity({"id": "+5564981205182", "identity": None}) == Identity(
        Kind.PHONE, "+5564981205182", None, None, None, "+5564981205182"
    )
    named = participant_identity({"id": GUID, "identity": {"user": {"id": None, "displayName": "Ada"}}})
    assert named is not None
    assert named.id == GUID


def test_endpoints_old_new_and_service() -> None:
    """A session's side reads from associatedIdentity, else identity; a bare service endpoint is a service."""
    service = {"@odata.type": "#microsoft.graph.callRecords.serviceEndpoint", "userAgent": {"role": "customBot"}}
    old = {"identity": {"user": one(GUID)}}
    new = {"associatedIdentity": one(GUID), "identity": {"phone": one("+4930123")}}
    assert endpoint_identity(old) == endpoint_identity(new) == identity(one(GUID))
    assert endpoint_identity(service) == Identity(Kind.SERVICE, None, None, None, None, None)
    assert [is_service(service), is_service(old), is_service(None)] == [True, False, False]
    assert endpoint_identity({}) is None


@given(JSON)
def test_every_identity_parser_is_total(value: object) -> None:
    """No JSON value makes a parser raise."""
    for parse in (identity, identity_set, participant_identity, endpoint_identity):
        assert isinstance(parse(value), Identity | None)
    whole = {"participants_v2": value, "organizer": value}
    record = cast("dict[str, object]", value) if isinstance(value, dict) else whole
    assert all(isinstance(party, Identity) for party in participants(record))
    assert isinstance(organizer(record), Identity | None)
