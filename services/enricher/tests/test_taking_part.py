"""Who took part, and what is a person: by the role of the endpoint, by the list and by the sessions."""

from typing import Any

import pytest
from ringback_enricher.core.derive.record import RecordContext, RuleSet, derive
from ringback_enricher.core.derive.rules import CQD_2026_1
from ringback_enricher.core.derive.sites import SiteMap
from ringback_events.wire import CallRecordWire
from ringback_testing.graph_records import ALICE, BOB, CALL, TENANT, media, network, service, session, side, stream

TABLES = RuleSet(CQD_2026_1, SiteMap(), revision=1)
TYPES = {"client": "#microsoft.graph.callRecords.participantEndpoint", "service": service()["@odata.type"]}
ACCOUNTS = ("skypeForBusinessAutoAttendant", "skypeForBusinessCallQueues", "customBot", "responseGroupService")
SERVICES = (*ACCOUNTS, "skypeTranslator", "newIn2030")
SERVERS = ("skypeForBusinessAudioVideoMcu", "skypeForBusinessApplicationSharingMcu", "mediaController")
VOICEMAIL = ("voicemail", "exchangeUnifiedMessagingService")
GATEWAYS = ("gateway", "mediationServer", "mediationServerCloudConnectorEdition")
ASSISTANT = "9e133cac-5238-4d1e-aaa0-d8ff4ca23f4e"


def derived(*sessions: dict[str, Any], listed: tuple[str, ...] = (), **members: Any) -> CallRecordWire:
    """The record of these sessions, with these people listed."""
    entries = [{"id": each, "identity": {"user": {"id": each}}} for each in listed]
    graph = {"id": CALL, "participants_v2": entries, "sessions": list(sessions)} | members
    return derive(graph, RecordContext(TENANT, CALL, None, "2026-11-02T09:55:01Z"), TABLES)


def endpoint(key: str | None, role: str | None, kind: str = "service", **more: Any) -> dict[str, Any]:
    """An endpoint of a role."""
    identity = None if key is None else {"id": key}
    return {"@odata.type": TYPES[kind], "associatedIdentity": identity, "userAgent": {"role": role}} | more


def organizer(key: str) -> dict[str, Any]:
    """Who booked the meeting."""
    return {"id": key, "identity": {"user": {"id": key}}}


@pytest.mark.parametrize("role", SERVICES)
@pytest.mark.parametrize("kind", TYPES)
def test_the_account_of_a_service_is_an_application(role: str, kind: str) -> None:
    """Whatever the endpoint's type; also where the account is listed or organizes.

    By a role that only accounts have, also where it seems to call by a client.
    """
    answered = session("s", side({"id": ALICE}), endpoint(BOB, role, kind))
    passed_on = session("t", side({"id": BOB}, "windows" if role in ACCOUNTS else "unknown"), service())
    calling = session("u", side(None), side({"id": BOB}, "windows" if role in ACCOUNTS else "unknownFutureValue"))
    for record in (
        derived(answered, listed=(ALICE, BOB)),
        derived(answered, passed_on, listed=(ALICE,), organizer_v2=organizer(BOB)),
        derived(answered, calling),
    ):
        bob = next(party for party in record["parties"] if party.get("id") == BOB)
        assert bob["kind"] == "application"
        counted = record["counts"]
        assert (counted["people"], counted["users"], counted["applications"]) == (1, 1, 1)
        callee = record["sessions"][0].get("callee")
        assert callee is not None
        assert (callee["kind"], callee["isService"], callee.get("role")) == ("application", True, role)


@pytest.mark.parametrize("role", [*SERVERS, "skypeTranslator", "newIn2030"])
@pytest.mark.parametrize("listed", [(), (ALICE,), (ALICE, BOB)])
def test_who_has_a_client_is_a_person_although_a_service_names_them(role: str, listed: tuple[str, ...]) -> None:
    """The service's session is not theirs, nor are its media."""
    audio = media("main-audio", stream("callerToCallee", averageJitter="PT1S"))
    record = derived(
        session("s", side({"id": ALICE}), endpoint(BOB, role), audio),
        session("t", side({"id": BOB}), service()),
        listed=listed,
    )
    bob = record["parties"][1]
    assert (bob["kind"], bob.get("tookPart"), bob["sessionCount"]) == ("user", True, 1)
    assert (record["counts"]["users"], record["counts"]["applications"]) == (2, 0)
    assert bob["verdict"] == "unclassified"
    callee = record["sessions"][0].get("callee")
    assert callee is not None
    assert (callee.get("party"), callee["isService"]) == (1, True)


@pytest.mark.parametrize("role", SERVERS)
def test_an_organizer_whom_a_media_server_names_is_a_person_who_did_not_join(role: str) -> None:
    """A media server has no account; somebody who is named nowhere else is no person."""
    named = session("s", side({"id": ALICE}), endpoint(BOB, role))
    record = derived(named, listed=(ALICE,), organizer_v2=organizer(BOB))
    bob = record["parties"][0]
    assert (bob["kind"], bob["isOrganizer"], bob.get("tookPart"), bob["sessionCount"]) == ("user", True, False, 0)
    assert (record["counts"]["people"], record["counts"]["applications"]) == (1, 0)
    assert derived(named, listed=(ALICE, BOB))["counts"]["users"] == 2
    assert derived(named, listed=(ALICE,))["parties"][1]["kind"] == "application"


def test_a_service_endpoint_without_a_role_is_one_unless_the_party_is_met_elsewhere() -> None:
    """Graph pairs the types oddly at times: who is listed, or calls by a client, is a person."""
    odd = session("s", side({"id": ALICE}), endpoint(BOB, None))
    assert derived(odd, listed=(ALICE,))["counts"]["applications"] == 1
    assert derived(odd, listed=(ALICE, BOB))["counts"]["users"] == 2
    assert derived(odd, session("t", side({"id": BOB}), service()))["counts"]["users"] == 2
    assert derived(session("s", side({"id": ASSISTANT}), service()))["counts"]["people"] == 0


@pytest.mark.parametrize("role", [*SERVICES, *VOICEMAIL, *GATEWAYS])
def test_a_number_stays_a_phone(role: str) -> None:
    """It calls by way of services; which one says nothing about it."""
    record = derived(session("s", endpoint("+15205550177", role, "client"), side({"id": ALICE})))
    assert record["parties"][0]["kind"] == "phone"


@pytest.mark.parametrize("role", [None, "conferencingAttendant", *SERVICES])
@pytest.mark.parametrize(
    ("key", "kind"),
    [("teamsvisitor:ab", "guest"), ("8:acs:ab", "guest"), ("anonymous", "phone"), ("4:restricted", "phone")],
)
def test_a_visitor_and_a_withheld_number_stay_what_they_are(role: str | None, key: str, kind: str) -> None:
    """A dial-in caller is met at the attendant, an anonymous guest at a service without a role."""
    record = derived(session("s", endpoint(key, role), side({"id": ALICE})), listed=(ALICE,))
    assert record["parties"][1]["kind"] == kind
    assert (record["counts"]["people"], record["counts"]["applications"]) == (2, 0)


@pytest.mark.parametrize("role", [*GATEWAYS, "skypeForBusinessMicrosoftTeamsGateway"])
def test_whoever_speaks_through_a_gateway_is_a_person(role: str) -> None:
    """The gateway is between the networks; its own users are not named."""
    record = derived(session("s", endpoint(BOB, role, "client"), side({"id": ALICE})))
    assert (record["parties"][0]["kind"], record["counts"]["users"]) == ("user", 2)


@pytest.mark.parametrize("role", VOICEMAIL)
@pytest.mark.parametrize("listed", [(), (ALICE, BOB)])
def test_a_voicemail_that_answered_is_no_attendance(role: str, listed: tuple[str, ...]) -> None:
    """It is still said whose it was; neither the session, nor its media, nor its network are that person's."""
    audio = media("main-audio", stream("callerToCallee", averageJitter="PT1S"), stream("calleeToCaller"))
    audio["calleeNetwork"] = network("203.0.113.9")
    record = derived(session("s", side({"id": ALICE}), endpoint(BOB, role), audio), listed=listed)
    alice, bob = record["parties"]
    assert (bob.get("id"), bob["kind"], bob["sessionCount"], bob.get("joinedMs"), bob.get("tookPart")) == (
        (BOB, "user", 0, None, False)
    )
    assert (bob["verdict"], bob["connectionTypes"]) == ("unclassified", [])
    assert (alice["sessionCount"], alice.get("tookPart")) == (1, True)
    assert (record["counts"]["parties"], record["counts"]["people"], record["counts"]["users"]) == (2, 1, 1)
    one = record["sessions"][0]
    callee = one.get("callee")
    assert callee is not None
    assert (callee.get("party"), callee["isService"]) == (1, True)
    assert [each.get("receiverParty") for each in one["streams"]] == [None, 0]


def test_who_was_there_although_the_voicemail_answered_too_took_part() -> None:
    """A call that went to voicemail and was called back in the same record."""
    record = derived(
        session("s", side({"id": ALICE}), endpoint(BOB, "voicemail")), session("t", side({"id": BOB}), service())
    )
    assert (record["parties"][1].get("tookPart"), record["counts"]["people"]) == (True, 2)


def test_the_identity_set_tells_a_voicemail_too() -> None:
    """`endpointType` of the old identity of an endpoint."""
    callee = {"@odata.type": TYPES["client"], "identity": {"user": {"id": BOB}, "endpointType": "voicemail"}}
    record = derived(session("s", side({"id": ALICE}), callee), listed=(ALICE, BOB))
    assert [party.get("tookPart") for party in record["parties"]] == [True, False]


@pytest.mark.parametrize("named", [{"user": {"id": BOB}}, {"user": None}, {}])
def test_the_identity_set_tells_a_voicemail_beside_an_associated_identity(named: dict[str, Any]) -> None:
    """Graph sends both for a while: the old set tells the endpoint's type, whoever names the party."""
    callee = side({"id": BOB}) | {"identity": named | {"endpointType": "voicemail"}}
    record = derived(session("s", side({"id": ALICE}), callee), listed=(ALICE, BOB))
    assert [(party.get("tookPart"), party["sessionCount"]) for party in record["parties"]] == [(True, 1), (False, 0)]


@pytest.mark.parametrize("callee", [side({"id": BOB}), endpoint(BOB, None), endpoint(BOB, "unknown", "client")])
@pytest.mark.parametrize(
    ("types", "is_voicemail"),
    [
        (["voicemail"], True),
        (["voicemail", "voicemail"], True),
        (["default"], False),
        (["default", "voicemail"], False),
        (["voicemail", None], False),
    ],
)
def test_whoever_is_listed_as_a_voicemail_alone_was_not_there(
    callee: dict[str, Any],
    types: list[str | None],
    is_voicemail: bool,  # noqa: FBT001 - a table's column
) -> None:
    """The endpoint of the session tells no role; where the person is listed as well, it is theirs."""
    entries = [{"identity": {"user": {"id": BOB}, "endpointType": each}} for each in types]
    record = derived(session("s", side({"id": ALICE}), callee), participants_v2=[organizer(ALICE), *entries])
    bob = record["parties"][1]
    assert (bob["kind"], bob.get("tookPart"), bob["sessionCount"]) == ("user", not is_voicemail, int(not is_voicemail))


@pytest.mark.parametrize(
    ("attending", "listed", "took_part"),
    [
        ((ALICE,), (ALICE,), False),
        ((ALICE,), (), False),
        ((ALICE, BOB), (ALICE,), True),
        ((ALICE,), (ALICE, BOB), True),
        ((ALICE,), (ALICE, "another"), False),
        ((), (), True),
        ((), (ALICE,), True),
        ((), (ALICE, "another"), False),
    ],
    ids=[
        "booked it",
        "no list",
        "joined unlisted",
        "listed",
        "sessions lack",
        "no sessions",
        "no sessions, one listed",
        "no sessions, two listed",
    ],
)
def test_an_organizer_who_did_not_join_did_not_take_part(
    attending: tuple[str, ...],
    listed: tuple[str, ...],
    took_part: bool,  # noqa: FBT001 - a table's column
) -> None:
    """Who is neither listed nor in a session was not there, unless one person alone is shown and sessions lack.

    Graph's list is of the participants in the call, and a call is between two.
    """
    sessions = (session(f"s-{each}", side({"id": each}), service()) for each in attending)
    record = derived(*sessions, listed=listed, organizer_v2=organizer(BOB))
    bob = record["parties"][0]
    assert (bob["isOrganizer"], bob.get("tookPart")) == (True, took_part)
    others = {*attending, *listed} - {BOB}
    assert record["counts"]["people"] == len(others) + took_part
    assert record["counts"]["parties"] == len(others) + 1


def test_a_queue_without_a_session_does_not_make_an_organizer_join() -> None:
    """Two people with their sessions are listed, and a queue without one; beside one person, it was the organizer."""
    people = [organizer(each) for each in (ALICE, "another")]
    queue = {"identity": {"applicationInstance": {"id": "queue"}}}
    sessions = [session(f"s-{each}", side({"id": each}), service()) for each in (ALICE, "another")]
    record = derived(*sessions, participants_v2=[*people, queue], organizer_v2=organizer(BOB))
    assert (record["counts"]["people"], record["counts"]["applications"]) == (2, 1)
    alone = derived(sessions[0], participants_v2=[people[0], queue], organizer_v2=organizer(BOB))
    assert alone["counts"]["people"] == 2
