"""Emergency numbers, feedback, sites and devices of a derived record."""

from typing import Any

import orjson
import pytest
from ringback_enricher.core.derive.feedback import worst_rating
from ringback_enricher.core.derive.record import RecordContext, RuleSet, derive
from ringback_enricher.core.derive.rules import CQD_2026_1
from ringback_enricher.core.derive.sites import SiteMap
from ringback_events.project import project
from ringback_events.wire import CallRecordWire
from ringback_testing.graph_records import (
    ALICE,
    BOB,
    CALL,
    TENANT,
    meeting,
    network,
    service,
    session,
    side,
    user,
)

SITES = (("10.20.0.0/16", "Berlin"), ("10.20.30.0/24", "Berlin, 3rd floor"), ("2001:db8::/32", "Lab"))
TABLES = RuleSet(CQD_2026_1, SiteMap(SITES), revision=1)


def derived(graph: dict[str, Any]) -> CallRecordWire:
    """The restricted record of a synthetic one."""
    return derive(graph, RecordContext(TENANT, CALL, "2026-11-02T09:55:00Z", "2026-11-02T09:55:01Z"), TABLES)


def test_old_identities_are_read_where_the_new_ones_are_missing() -> None:
    """Payloads from before 2026-06-30 name people by identity sets."""
    caller = {"@odata.type": "#x.participantEndpoint", "identity": {"user": {"id": BOB, "displayName": "Bob"}}}
    graph = {
        "id": "c",
        "organizer": {"user": {"id": ALICE, "displayName": "Alice"}},
        "participants": [{"user": {"id": ALICE}}, {"phone": {"id": "+33140205050"}}],
        "sessions": [session("s", caller, service())],
    }
    parties = derived(graph)["parties"]
    assert [(party["kind"], party.get("displayName")) for party in parties] == [
        ("user", "Alice"),
        ("phone", None),
        ("user", "Bob"),
    ]


@pytest.mark.parametrize(
    ("number", "countries", "suspected"),
    [
        *((number, (), True) for number in ("112", "911", "999", "000", "tel:112", "4:911", "+112", " 112 ", "***")),
        *(
            (number, (), False)
            for number in ("110", "101", "118", "199", "933", "1120", "0112", "+4930112", "****", "**")
        ),
        *((number, ("DE",), True) for number in ("110", "112", "tel:110", "***")),
        *((number, ("DE",), False) for number in ("911", "999", "000", "101", "1101", "****")),
        *((number, ("US", "FR"), True) for number in ("911", "112", "15", "17", "***")),
        *((number, ("US", "FR"), False) for number in ("110", "933", "119")),
        *((number, ("AQ",), True) for number in ("112", "999")),
        ("110", ("AQ", "DE"), True),
        ("999", ("AQ", "DE"), False),
    ],
)
def test_emergency_numbers_are_those_of_the_tenants_countries(
    number: str,
    countries: tuple[str, ...],
    suspected: bool,  # noqa: FBT001 - a table's column
) -> None:
    """Masked or not, in any spelling; without countries those known everywhere, so that an extension is none."""
    graph = {"id": "c", "participants_v2": [{"id": number, "identity": {"phone": {"id": number}}}]}
    record = derive(graph, RecordContext(TENANT, CALL, None, "2026-11-02T09:55:01Z", countries), TABLES)
    assert record["emergencySuspected"] is suspected


def _with_extension(kind: str, caller: dict[str, Any], callee: dict[str, Any], **more: Any) -> bool:
    """Whether an emergency call is suspected in a call of this type and these sides, of a tenant in Germany."""
    graph = {"id": "c", "type": kind, "sessions": [session("s", caller, callee)]} | more
    return derive(graph, RecordContext(TENANT, CALL, None, "2026-11-02T09:55:01Z", ("DE",)), TABLES)[
        "emergencySuspected"
    ]


@pytest.mark.parametrize("spelled", ["110", "tel:110", "4:112", "***"])
def test_who_calls_was_not_dialled(spelled: str) -> None:
    """An extension of a private exchange has the digits of an emergency number; a caller of it may need help."""
    phone, alice = side({"id": spelled}), side({"id": ALICE})
    attendant = side({"id": BOB}, userAgent={"role": "skypeForBusinessAutoAttendant"})
    server = service() | {"associatedIdentity": {"id": ALICE}}
    listed = [{"id": spelled, "identity": {"phone": {"id": spelled}}}]
    booked = {"organizer_v2": listed[0]}
    assert not _with_extension("peerToPeer", phone, alice)
    assert not _with_extension("peerToPeer", phone, service(), participants_v2=listed)
    assert not _with_extension("groupCall", phone, attendant, participants_v2=listed)
    assert not _with_extension("groupCall", phone, service(), participants_v2=listed, **booked)
    assert _with_extension("peerToPeer", alice, phone)
    assert _with_extension("groupCall", alice, phone, participants_v2=listed)
    assert _with_extension("groupCall", phone, service(), participants_v2=listed)
    assert _with_extension("groupCall", phone, server, participants_v2=listed)
    assert _with_extension("groupCall", alice, service(), participants_v2=listed)
    assert _with_extension("peerToPeer", alice, phone, **booked)


@pytest.mark.parametrize(
    ("of_session", "of_segments", "rating", "words"),
    [
        (None, [{"rating": "bad", "text": "no sound"}], "bad", "no sound"),
        ({"rating": "good", "text": "fine"}, [{"rating": "poor", "text": "noisy"}], "poor", "noisy"),
        ({"rating": "poor", "text": "noisy"}, [{"rating": "good", "text": "fine"}, None], "poor", "noisy"),
        ({"rating": "notRated"}, [None, {"rating": "fair"}], "fair", None),
        ({"rating": "notRated", "text": "why ask"}, ["odd", {"rating": "notRated"}], "notRated", "why ask"),
        (None, [{"text": "only words"}], None, "only words"),
        (None, [], None, None),
    ],
)
def test_feedback_counts_wherever_it_stands(
    of_session: Any, of_segments: list[Any], rating: str | None, words: str | None
) -> None:
    """On the session's side or on its segments': the worst rating, with the words beside it."""
    one = session("s", side(user(ALICE, "Alice"), feedback=of_session), service())
    one["segments"] = [{"caller": side(user(ALICE, "Alice"), feedback=each)} for each in of_segments]
    record = derived({"id": "c", "sessions": [one]})
    caller = record["sessions"][0].get("caller")
    assert caller is not None
    assert (caller.get("feedbackRating"), caller.get("feedbackText")) == (rating, words)
    assert (
        record.get("worstFeedback")
        == record["parties"][0].get("feedbackRating")
        == (worst_rating([rating]) if rating else None)
    )


def test_feedback_of_nobody_known_counts_too() -> None:
    """The open event does not name the person; it says that a participant was dissatisfied."""
    bad = {"rating": "bad", "text": "no sound"}
    record = derived({"id": "c", "sessions": [session("s", side({"id": ALICE}), side(None, feedback=bad))]})
    callee = record["sessions"][0].get("callee")
    assert callee is not None
    assert (callee.get("party"), callee.get("feedbackText"), record.get("worstFeedback")) == (None, "no sound", "bad")
    assert [party.get("feedbackRating") for party in record["parties"]] == [None]


@pytest.mark.parametrize("missing", [None, {}, "odd"])
def test_a_side_that_the_session_lacks_is_that_of_its_first_segment(missing: Any) -> None:
    """Its party, its platform and its feedback; a segment without that side says nothing."""
    one: dict[str, Any] = session("s", side(None), service()) | {"caller": missing}
    rated = side({"id": ALICE}, "iOS", feedback={"rating": "bad"})
    segments: list[Any] = [{}, {"caller": rated}, {"caller": side({"id": BOB})}]
    if missing == "odd":
        segments.insert(0, {"caller": "odd"})
    record = derived({"id": "c", "sessions": [one | {"segments": segments}]})
    caller = record["sessions"][0].get("caller")
    assert caller is not None
    assert (caller.get("party"), caller.get("platform"), record.get("worstFeedback")) == (0, "iOS", "bad")
    (alice,) = record["parties"]
    assert (alice.get("id"), alice["sessionCount"], alice.get("feedbackRating")) == (ALICE, 1, "bad")


def test_the_site_is_that_of_the_longest_prefix() -> None:
    """A floor is more telling than its city; a home address has no site of its own."""
    graph = meeting()
    blocks = graph["sessions"][0]["segments"][0]["media"]
    blocks[1]["callerNetwork"] = network("10.20.99.1")
    blocks[2]["callerNetwork"] = network("192.168.1.2", reflexiveIPAddress="2001:db8:1:2::3")
    reported = [each.get("callerNetwork") or {} for each in derived(graph)["sessions"][0]["streams"]]
    assert [each.get("site") for each in reported[1:]] == ["Berlin, 3rd floor", "Berlin", "Lab"]
    assert [each.get("networkPrefix") for each in reported[1:]] == [None, None, None]
    assert reported[3].get("reflexivePrefix") == "2001:db8:1::/48"


def test_devices_are_named_in_the_restricted_tier_alone() -> None:
    """Of both sides, for every stream of the media; a block that names none is none, and nothing of it opens."""
    graph = meeting()
    audio, video, _ = graph["sessions"][0]["segments"][0]["media"]
    audio["callerDevice"] = {"captureDeviceName": "Anna's headset", "renderDeviceName": "Anna's headset", "x": 1}
    audio["calleeDevice"] = {"captureDeviceName": None, "renderDeviceName": "", "micGlitchRate": 0.5}
    video["callerDevice"] = {"captureDeviceName": "Camera 7", "captureDeviceDriver": "Acme: 1.2.3"}
    record = derived(graph)
    first, second, third, fourth = record["sessions"][0]["streams"]
    headset = {"captureName": "Anna's headset", "captureDriver": None} | {"renderName": "Anna's headset"}
    assert first.get("callerDevice") == second.get("callerDevice") == headset | {"renderDriver": None}
    assert (first.get("calleeDevice"), fourth.get("callerDevice")) == (None, None)
    camera = third.get("callerDevice")
    assert camera is not None
    assert (camera.get("captureName"), camera.get("captureDriver")) == ("Camera 7", "Acme: 1.2.3")
    opened = orjson.dumps([*project(record, lambda _: None)]).decode()
    assert not any(word in opened for word in ("Anna", "Camera", "Acme", "Device"))
