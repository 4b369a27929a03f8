"""The whole derivation: valid by the contract, total, repeatable, complete."""

from copy import deepcopy
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from ringback_enricher.core.derive.record import RecordContext, RuleSet, derive
from ringback_enricher.core.derive.rules import CQD_2026_1
from ringback_enricher.core.derive.sites import SiteMap
from ringback_events.record import CallRecord
from ringback_events.wire import CallRecordWire
from ringback_testing.graph_records import (
    ALICE,
    BOB,
    CALL,
    TENANT,
    documented,
    meeting,
    service,
    session,
    side,
    stream,
    user,
)
from ringback_testing.json_values import is_list, is_object

SITES = (("10.20.0.0/16", "Berlin"), ("10.20.30.0/24", "Berlin, 3rd floor"), ("2001:db8::/32", "Lab"))
TABLES = RuleSet(CQD_2026_1, SiteMap(SITES), revision=1)


def derived(graph: dict[str, Any]) -> CallRecordWire:
    """The restricted record of a synthetic one."""
    return derive(graph, RecordContext(TENANT, CALL, "2026-11-02T09:55:00Z", "2026-11-02T09:55:01Z"), TABLES)


def leaves(value: Any, path: tuple[str, ...] = ()) -> list[tuple[tuple[str, ...], Any]]:
    """Every member and value of a JSON tree but `@odata` links, array positions left out."""
    if is_object(value):
        return [
            leaf
            for name, inner in value.items()
            if not (name.endswith(("@odata.context", "@odata.nextLink")))
            for leaf in leaves(inner, (*path, name))
        ]
    if is_list(value):
        return [leaf for inner in value for leaf in leaves(inner, path)]
    return [(path, value)]


def test_the_record_is_valid_by_its_contract() -> None:
    """What is derived passes the contract's model."""
    CallRecord.model_validate(derived(meeting()))


def test_deriving_twice_gives_the_same_bytes() -> None:
    """Nothing of a run leaks into the next."""
    assert orjson.dumps(derived(meeting())) == orjson.dumps(derived(deepcopy(meeting())))


def test_deriving_leaves_graphs_json_alone() -> None:
    """The opaque part is Graph's, not ours."""
    graph = meeting()
    assert derived(graph)["graph"] == meeting()


def test_the_order_in_which_sessions_are_served_changes_nothing_derived() -> None:
    """Ordinals, parties and verdicts depend on the content only."""
    graph = meeting()
    turned = graph | {"sessions": graph["sessions"][::-1]}
    first, second = derived(graph), derived(turned)
    assert {**first, "graph": None} == {**second, "graph": None}


def test_every_member_and_value_of_graph_is_kept() -> None:
    """Nothing Graph said is lost in the restricted record."""
    graph = meeting()
    assert leaves(orjson.loads(orjson.dumps(derived(graph)))["graph"]) == leaves(graph)


def test_a_record_as_documented_is_derived_whole() -> None:
    """The members and forms of the example in Graph's documentation, which lacks most of what others have."""
    graph = documented()
    record = CallRecord.model_validate(derived(graph))
    assert leaves(record.graph) == leaves(graph)
    assert [party.user_principal_name for party in record.parties] == [
        "ada.lindqvist@contoso.example",
        "ben.okafor@contoso.example",
    ]
    assert record.duration_ms == 26_547
    assert record.sessions[0].streams[0].average_jitter_ms == 17.0
    assert record.worst_feedback == "poor"


def test_the_facts_of_a_meeting() -> None:
    """The derived facts, each as the contract describes it."""
    record = derived(meeting())
    assert record["counts"] == {
        "parties": 4,
        "people": 4,
        "users": 2,
        "guests": 1,
        "externals": 1,
        "phones": 1,
        "applications": 0,
    }
    assert record.get("startDateTime") == "2026-11-02T09:00:00.123456Z"
    assert record.get("durationMs") == 1_799_876
    assert record["platforms"] == ["iOS", "unknown", "web", "windows"]
    assert record["connectionTypes"] == ["wifi"]
    assert record["sites"] == ["Berlin, 3rd floor"]
    assert record["quality"]["verdict"] == "poor"
    assert record["quality"]["audio"] == {"good": 1, "poor": 1, "unclassified": 1}
    assert record["quality"]["video"] == {"good": 0, "poor": 1, "unclassified": 0}
    assert record["quality"]["screenSharing"] == {"good": 1, "poor": 0, "unclassified": 0}
    assert record["quality"]["other"] == {"good": 0, "poor": 0, "unclassified": 1}
    assert record.get("worstFeedback") == "poor"
    assert record["anomalies"]["missingParticipants"] == 1  # the guest


def test_the_parties_of_a_meeting() -> None:
    """Organizer first, then participants, then whom only sessions know; each once."""
    parties = derived(meeting())["parties"]
    assert [party.get("id") for party in parties] == [ALICE, BOB, "+4930901820", "teamsvisitor:0a1b"]
    assert [party["relation"] for party in parties] == ["internal", "external", "unknown", "unknown"]
    assert [party["verdict"] for party in parties] == ["poor", "unclassified", "unclassified", "unclassified"]
    alice, _, phone, guest = parties
    assert alice["isOrganizer"]
    assert alice.get("userPrincipalName") == "alice@contoso.example"
    assert alice.get("joinedMs") == 1_800_000
    assert phone.get("countryCode") == "DE"
    assert not guest["inParticipants"]


def test_the_receiver_is_the_side_the_stream_goes_to() -> None:
    """A stream to the service has no receiver among the parties."""
    streams = derived(meeting())["sessions"][0]["streams"]
    assert [each.get("receiverParty") for each in streams] == [None, 0, 0, 0]


def test_an_all_null_network_is_counted_and_told_as_none() -> None:
    """Graph sends such blocks; they say nothing."""
    graph = meeting()
    graph["sessions"][0]["segments"][0]["media"][0]["callerNetwork"] = {"ipAddress": None, "connectionType": None}
    record = derived(graph)
    assert record["anomalies"]["emptyNetworks"] == 1
    assert record["sessions"][0]["streams"][0].get("callerNetwork") is None


@pytest.mark.parametrize(
    ("block", "empty"),
    [
        ({"connectionType": "unknown", "wifiBand": "unknown", "ipAddress": None, "traceRouteHops": list[Any]()}, 1),
        ({"@odata.type": "#x.networkInfo", "networkTransportProtocol": "unknown", "ipAddress": ""}, 1),
        ({"connectionType": None, "traceRouteHops": [{"hopCount": None, "ipAddress": None}, None, list[Any]()]}, 1),
        ({"connectionType": None, "traceRouteHops@odata.context": "https://graph.example/$metadata"}, 1),
        ({"connectionType": None, "traceRouteHops": [{"hopCount": None}, {"hopCount": 1}]}, 0),
        ({"connectionType": "", "linkSpeed": 0}, 0),
        (dict[str, Any](), 1),
        ({"connectionType": "unknown", "linkSpeed": 0}, 0),
        ({"connectionType": "unknownFutureValue"}, 0),
        ({"connectionType": "wired", "ipAddress": None}, 0),
    ],
)
def test_a_network_that_says_unknown_tells_no_more_than_one_of_nulls(block: dict[str, Any], empty: int) -> None:
    """Enumerations that may not be null say `unknown`: such a network is empty, and nobody used that connection."""
    graph = meeting()
    for media in graph["sessions"][0]["segments"][0]["media"]:
        media["callerNetwork"] = block
    record = derived(graph)
    assert record["anomalies"]["emptyNetworks"] == 3 * empty
    used = block.get("connectionType")
    assert record["connectionTypes"] == ([] if used in {None, "", "unknown"} else [used])
    assert (record["sessions"][0]["streams"][0].get("callerNetwork") is None) is bool(empty)


def test_odd_values_are_counted_and_told_as_null() -> None:
    """A value of the wrong form spoils itself alone."""
    odd = stream(averageJitter="soon", packetUtilization="many", averagePacketLossRate=[], startDateTime="yesterday")
    graph = meeting() | {"sessions": [session("s", side(None), service(), {"label": "main-audio", "streams": [odd]})]}
    record = derived(graph)
    assert record["anomalies"]["unparsableValues"] == 4
    reported = record["sessions"][0]["streams"][0]
    assert (reported.get("averageJitterMs"), reported.get("packetUtilization"), reported.get("startDateTime")) == (
        None,
        None,
        None,
    )
    assert reported.get("averageRoundTripMs") == 50.0


def test_a_session_that_ends_before_it_starts_is_counted() -> None:
    """A negative duration is told as Graph tells it, and counted once for the session, once for its segment."""
    graph = meeting()
    for each in (graph["sessions"][1], graph["sessions"][1]["segments"][0]):
        each["endDateTime"] = "2026-11-02T08:59:59.5Z"
    record = derived(graph)
    assert record["anomalies"]["negativeDurations"] == 2
    assert record["sessions"][1].get("durationMs") == -500


def test_sessions_alike_but_for_their_content_keep_their_ordinals() -> None:
    """Same start, same id, as at a hand-over: callee, then content decide, in whatever order Graph serves them."""
    alike = [
        session("s", side(user(ALICE, None)), service(), {"label": "main-audio", "streams": [stream(streamId="2")]}),
        session("s", side(user(ALICE, None)), service(), {"label": "main-audio", "streams": [stream(streamId="1")]}),
        session("s", side(user(ALICE, None)), side(user(BOB, None))),
    ]
    first = derived(meeting() | {"sessions": alike})["sessions"]
    second = derived(meeting() | {"sessions": alike[::-1]})["sessions"]
    assert first == second
    assert [each["streams"][0].get("streamId") if each["streams"] else None for each in first] == ["1", "2", None]


def test_repeated_session_ids_keep_their_sessions() -> None:
    """Graph repeats a session id at a hand-over; the ordinal tells them apart."""
    graph = meeting()
    graph["sessions"].append(session("s-bob", side(user(ALICE, None)), service()))
    record = derived(graph)
    assert [each["ordinal"] for each in record["sessions"]] == [0, 1, 2, 3, 4]
    assert record["anomalies"]["repeatedSessionIds"] == 2


def test_time_in_the_call_is_the_union_of_the_sessions() -> None:
    """Sessions that overlap count once, a gap between them not at all."""
    graph = meeting()
    again = session("s-alice-2", side(user(ALICE, None)), service()) | {
        "startDateTime": "2026-11-02T09:20:00Z",
        "endDateTime": "2026-11-02T09:40:00Z",
    }
    later = again | {"startDateTime": "2026-11-02T10:00:00Z", "endDateTime": "2026-11-02T10:01:00Z"}
    graph["sessions"] += [again, later]
    alice = derived(graph)["parties"][0]
    assert alice.get("joinedMs") == 41 * 60_000
    assert alice["sessionCount"] == 3


def test_a_session_with_oneself_counts_once() -> None:
    """Who is caller and callee of a session attended one session."""
    alone = session("s", side(user(ALICE, None)), side(user(ALICE, None), "iOS"))
    (alice,) = derived({"id": "c", "sessions": [alone]})["parties"]
    assert (alice["sessionCount"], alice.get("joinedMs"), alice["platforms"]) == (1, 1_800_000, ["windows"])


_json = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False) | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


def _vandalised(value: Any, draw: st.DrawFn) -> Any:
    """Graph's shape with any part of it replaced by anything."""
    if draw(st.integers(0, 15)) == 0:
        return draw(_json)
    if is_object(value):
        return {name: _vandalised(inner, draw) for name, inner in value.items()}
    if is_list(value):
        return [_vandalised(inner, draw) for inner in value]
    return value


@st.composite
def vandalised_records(draw: st.DrawFn) -> dict[str, Any]:
    """A meeting in which anything may be anything."""
    found = _vandalised(meeting(), draw)
    return found if is_object(found) else {"id": found}


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(vandalised_records() | st.dictionaries(st.text(max_size=8), _json, max_size=6))
def test_any_json_object_becomes_a_valid_record(graph: dict[str, Any]) -> None:
    """The derivation is total, and what it tells stays within the contract whatever Graph sends."""
    wire = orjson.loads(orjson.dumps(derived(orjson.loads(orjson.dumps(graph)))))
    CallRecord.model_validate(wire)
