import copy
import itertools
import time
from collections.abc import Iterator
from typing import Any, Literal

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import create_model
from ringback_events.catalogue import EVENTS
from ringback_events.fields import Event, Privacy, member
from ringback_events.open import OpenCall, OpenParty, OpenSession, OpenStream, SessionsCompleted
from ringback_events.project import project
from ringback_events.record import CallRecord, Endpoint, EndpointFacts, Network, NetworkFacts, Party, Session, Stream
from ringback_events.shapes import opener, privacy_of
from ringback_events.wire import PartyWire
from ringback_testing.json_values import is_list, is_object
from ringback_testing.record_makers import MakeRecord


def no_token(_party: PartyWire) -> None:
    """The policy none."""


def text_leaves(node: Any) -> Iterator[str]:
    """Every string of a JSON value, at any depth."""
    if isinstance(node, str):
        yield node
    elif is_object(node):
        for value in node.values():
            yield from text_leaves(value)
    elif is_list(node):
        for value in node:
            yield from text_leaves(value)


def test_the_open_events_are_valid(make_record: MakeRecord) -> None:
    """What the projector makes is what the open models allow, nothing more: they are closed."""
    opened = project(make_record(), lambda party: f"u1_k1_{party['index']}")
    call = OpenCall.model_validate_json(orjson.dumps(opened.call))
    sessions = [OpenSession.model_validate_json(orjson.dumps(session)) for session in opened.sessions]
    marker = SessionsCompleted.model_validate_json(orjson.dumps(opened.completed))
    assert [party.token for party in call.parties] == ["u1_k1_0", "u1_k1_1"]
    assert [session.ordinal for session in sessions] == [0, 1]
    assert (marker.session_count, marker.completed) == (2, True)
    for event in (*sessions, marker):
        assert (event.call_id, event.version, event.revision) == (call.call_id, call.version, call.revision)
        assert (event.call_type, event.call_start_date_time) == (call.type, call.start_date_time)


def test_facts_survive(make_record: MakeRecord) -> None:
    """C0 and C1 keep their values, C2 and C3 are gone, nulls stay null."""
    opened: Any = project(make_record(sessions=1, streams=1), no_token)
    stream = opened.sessions[0]["streams"][0]
    assert stream["averageJitterMs"] == 16.0
    assert stream["codec"] == "satin"
    assert stream["averageVideoFrameRate"] is None
    assert stream["callerNetwork"] == {
        "connectionType": "wifi",
        "transport": "udp",
        "wifiBand": "frequency50GHz",
        "wifiRadioType": "wifi80211ac",
        "wifiSignalStrength": 88,
        "linkSpeedBps": 54_000_000,
        "networkPrefix": None,
        "reflexivePrefix": "198.51.100.0/24",
        "site": "Zürich HQ",
    }
    assert opened.call["failure"] == {"stage": "midcall"}
    assert "graph" not in opened.call
    assert "joinWebUrl" not in opened.call


def test_projecting_changes_nothing_and_repeats(make_record: MakeRecord) -> None:
    """Pure: the record stays as it was, and a second run gives the same bytes."""
    record = make_record(sessions=3)
    before = copy.deepcopy(record)
    first = orjson.dumps([*project(record, no_token)])
    assert orjson.dumps([*project(record, no_token)]) == first
    assert record == before


def test_absent_members_stay_absent(make_record: MakeRecord) -> None:
    """A record that leaves out every optional member projects too."""
    wire = CallRecord.model_validate_json(orjson.dumps(make_record())).model_dump(mode="json", exclude_none=True)
    opened: Any = project(wire, no_token)  # pyright: ignore[reportArgumentType] - dumped from the model
    OpenCall.model_validate_json(orjson.dumps(opened.call))
    assert "networkPrefix" not in opened.sessions[0]["streams"][0]["callerNetwork"]


def test_what_no_model_names_is_dropped(make_record: MakeRecord) -> None:
    """A member that slipped into the record by mistake does not slip into the open tier."""
    record: Any = make_record()
    for node in (record, record["sessions"][0], record["sessions"][0]["streams"][0], record["parties"][0]):
        node["displayNameOfOrganizer"] = "Örjan Ågren"
    opened = project(record, no_token)
    assert "displayNameOfOrganizer" not in orjson.dumps([*opened]).decode()


@pytest.mark.parametrize("smuggled", ["Abbie Wilkins", "abbie@contoso.com", "+4930901820", "10.150.0.2"])
def test_identity_in_an_enumeration_becomes_unknown(make_record: MakeRecord, smuggled: str) -> None:
    """Graph's strings are open: a role, codec or platform that names somebody is not passed on."""
    record: Any = make_record(sessions=1, streams=1)
    session = record["sessions"][0]
    record["type"] = record["worstFeedback"] = smuggled
    record["platforms"] = ["windows", smuggled]
    session["caller"] |= {"role": smuggled, "platform": smuggled, "applicationVersion": smuggled}
    session["streams"][0] |= {"codec": smuggled, "label": smuggled}
    session["streams"][0]["callerNetwork"] |= {"reflexivePrefix": smuggled, "wifiBand": smuggled}
    opened: Any = project(record, no_token)
    assert smuggled not in set(text_leaves([*opened.sessions, opened.completed, opened.call]))
    assert opened.call["platforms"] == ["windows", "unknown"]
    assert opened.completed["callType"] == "unknown"
    assert opened.sessions[0]["streams"][0]["callerNetwork"]["reflexivePrefix"] is None


@pytest.mark.parametrize(("privacy", "kept"), [("C0", True), ("C1", True), ("C2", False), ("C3", False)])
@pytest.mark.parametrize("closed_in", ["source", "target"])
def test_the_class_alone_decides(
    privacy: Literal["C0", "C1", "C2", "C3"], closed_in: Literal["source", "target"], *, kept: bool
) -> None:
    """To change a field's class changes the output; the projector's code knows no field."""

    def shape(name: str, of_jitter: Privacy) -> type[Event]:
        return create_model(name, __base__=Event, max_jitter=(int, member(of_jitter, "Jitter.", unit="ms")))

    other = "target" if closed_in == "source" else "source"
    shapes = {closed_in: shape("Changed", Privacy(privacy)), other: shape("Unchanged", Privacy.C0)}
    opened = opener(shapes["source"], shapes["target"])({"maxJitter": 7, "name": "Abbie"})
    assert opened == ({"maxJitter": 7} if kept else {})


def test_a_free_form_member_cannot_be_open() -> None:
    """A dict of anything has no class of its own inside, so it stops the import instead of leaking."""
    shape = create_model("Loose", __base__=Event, detail=(dict[str, Any], member(Privacy.C0, "Anything.")))
    with pytest.raises(TypeError, match="free-form"):
        opener(shape, shape)


def test_a_field_without_class_is_refused() -> None:
    """No class, no projection."""
    shape = create_model("Bare", __base__=Event, jitter=(int, 0))
    with pytest.raises(TypeError, match="privacy class"):
        opener(shape, shape)


TWINS = [
    (CallRecord, OpenCall, {"sessions"}),
    (Session, OpenSession, set[str]()),
    (Stream, OpenStream, set[str]()),
    (Party, OpenParty, set[str]()),
    (Endpoint, EndpointFacts, set[str]()),
    (Network, NetworkFacts, set[str]()),
]


@pytest.mark.parametrize(("source", "target", "elsewhere"), TWINS, ids=lambda each: getattr(each, "__name__", None))
def test_every_open_class_has_an_open_twin(source: type[Event], target: type[Event], elsewhere: set[str]) -> None:
    """A C0 or C1 field of the record that the open shape forgot would vanish in silence."""
    open_fields = {name for name, info in source.model_fields.items() if privacy_of(info) in (Privacy.C0, Privacy.C1)}
    assert open_fields - target.model_fields.keys() == elsewhere


def test_open_shapes_hold_open_classes_only() -> None:
    """C2 and C3 have no place in the open tier, in no nested shape."""

    def shapes(model: type[Event]) -> Iterator[type[Event]]:
        yield model
        for info in model.model_fields.values():
            for inner in (info.annotation, *getattr(info.annotation, "__args__", ())):
                if isinstance(inner, type) and issubclass(inner, Event):
                    yield from shapes(inner)

    for event in ("call", "session", "sessions-completed"):
        for model in shapes(EVENTS[event]):
            classes = {name: privacy_of(info) for name, info in model.model_fields.items()}
            assert set(classes.values()) <= {Privacy.C0, Privacy.C1}, (model, classes)


# Identities as Graph has them: none of them has the form of an enumeration's member.
names = st.from_regex(r"[A-ZÅÄÖ][a-zåäöß]{1,10} [A-Z][a-z]{1,12}", fullmatch=True)
upns = st.from_regex(r"[a-z]{1,8}\.[a-z]{1,8}@[a-z]{2,8}\.example", fullmatch=True)
numbers = st.from_regex(r"\+[1-9][0-9]{7,14}", fullmatch=True)
addresses = st.ip_addresses(v=4).filter(lambda address: int(address) >= 2**25).map(str)
macs = st.from_regex(r"[0-9A-F]{2}(-[0-9A-F]{2}){5}", fullmatch=True)
identities = st.one_of(names, upns, numbers, addresses, macs, st.uuids().map(str))


def fill(node: Any, model: type[Event], planted: Iterator[str]) -> None:
    """Put an identity into every C2 and C3 string, and into every gated one too, as a careless source might."""
    for info in model.model_fields.values():
        inner = [info.annotation, *getattr(info.annotation, "__args__", ())]
        nested = next((each for each in inner if isinstance(each, type) and issubclass(each, Event)), None)
        extra: Any = info.json_schema_extra
        value = node.get(info.alias)
        if nested is not None and value is not None:
            for each in value if is_list(value) else [value]:
                fill(each, nested, planted)
        elif str in inner and (privacy_of(info) is not Privacy.C1 or "x-opens" in extra):
            node[info.alias] = [next(planted)] if isinstance(value, list) else next(planted)


@settings(max_examples=100, deadline=None)
@given(planted=st.lists(identities, min_size=5, max_size=15), streams=st.integers(0, 2))
def test_no_identity_reaches_the_open_tier(make_record: MakeRecord, planted: list[str], streams: int) -> None:
    """Property: no string of a C2 or C3 field appears in an open event, not even if C0 strings hold it too."""
    record: Any = make_record(sessions=2, streams=streams, parties=3)
    fill(record, CallRecord, itertools.cycle(planted))
    assert record["parties"][0]["displayName"] in planted
    opened = project(record, no_token)
    leaves = set(text_leaves([opened.call, opened.completed, *opened.sessions]))
    assert not leaves & set(planted)
    assert not leaves & set(text_leaves(record["graph"])) - {record["callId"]}


def test_tokens_are_asked_for_once_per_party(make_record: MakeRecord) -> None:
    """The callback sees each restricted party once, in order."""
    asked: list[int] = []

    def token(party: PartyWire) -> None:
        asked.append(party["index"])

    project(make_record(parties=4), token)
    assert asked == [0, 1, 2, 3]


def test_a_meeting_of_a_thousand_sessions_projects_in_time(make_record: MakeRecord) -> None:
    """1,000 sessions take some 20 ms, a 45 KB record some 0.1 ms; red only past ten times that."""
    usual, meeting = make_record(sessions=6, streams=4, parties=5), make_record(sessions=1000, parties=300)
    for record, limit in ((usual, 0.001), (meeting, 0.2)):
        runs: list[float] = []
        for _ in range(5):
            started = time.process_time()
            project(record, no_token)
            runs.append(time.process_time() - started)
        assert min(runs) < limit
