"""What the judge reads of a call: the same from Graph's JSON, a record, the open events and the store's rows."""

from collections.abc import Callable
from copy import deepcopy
from typing import Any

import pytest
from ringback_faults.contents import (
    children_of,
    contents_of_call,
    contents_of_graph,
    contents_of_record,
    contents_of_rows,
    contents_of_session,
)
from ringback_faults.contents.values import digest

Json = dict[str, Any]

USER, GUEST, PHONE = "821809f5-0000-4000-8000-00000000000A", "teamsvisitor:5b2f", "+12025550143"
_TYPE = "#microsoft.graph.callRecords."
_ZERO = 1_793_610_000_000_000
"""2026-11-02T09:00:00Z"""


def _stream(number: int) -> Json:
    times = {"startDateTime": "2026-11-02T09:00:01Z", "endDateTime": "2026-11-02T09:00:59.1234567Z"}
    figures = {"streamId": f"s{number}", "streamDirection": "callerToCallee", "packetUtilization": 7 + number}
    return {**times, **figures, "averagePacketLossRate": 0.125}


def _session(number: int, person: Json, **more: Any) -> Json:
    return {
        "id": f"session-{number}",
        "startDateTime": f"2026-11-02T09:0{number}:00Z",
        "endDateTime": "2026-11-02T09:30:00+00:00",
        "modalities": ["audio"],
        "isTest": False,
        "caller": {"associatedIdentity": person, "userAgent": {"applicationVersion": f"v{number}"}},
        "callee": {"@odata.type": f"{_TYPE}serviceEndpoint", "userAgent": {"role": "mcu"}},
        "segments": [{"media": [{"label": "main-audio", "streams": [_stream(number)]}]}],
        **more,
    }


def _graph() -> Json:
    """Organizer and guest are listed, the phone is known of a session only; sessions come in no order."""
    return {
        "type": "groupCall",
        "startDateTime": "2026-11-02T09:00:00Z",
        "endDateTime": "2026-11-02T09:30:00Z",
        "modalities": ["audio"],
        "organizer_v2": {"id": USER, "identity": {"phone": None, "user": {"id": USER, "displayName": "A"}}},
        "participants_v2": [
            {"id": USER.lower(), "identity": {"user": {"id": USER.lower()}}},
            {"id": GUEST, "identity": {"user": {"id": GUEST}}},
        ],
        "sessions": [_session(1, {"id": PHONE}), _session(0, {"id": USER})],
    }


def _times(start: int, end: int) -> Json:
    def at(second: int) -> str:
        return f"2026-11-02T09:{second // 60:02}:{second % 60:02}Z"

    return {"startDateTime": at(start), "endDateTime": at(end)}


def _told(ordinal: int, party: int, kind: str) -> Json:
    """The session as the contract has it."""
    medium = {
        "startDateTime": "2026-11-02T09:00:01Z",
        "endDateTime": "2026-11-02T09:00:59.123456Z",
        "label": "main-audio",
    }
    stream = {"segmentIndex": 0, "mediaIndex": 0, "streamIndex": 0, "streamId": f"s{ordinal}", **medium}
    figures = {"direction": "callerToCallee", "packetUtilization": 7 + ordinal, "averagePacketLossRate": 0.125}
    return {
        "ordinal": ordinal,
        "sessionId": f"session-{ordinal}",
        **_times(60 * ordinal, 1800),
        "modalities": ["audio"],
        "isTest": False,
        "segmentCount": 1,
        "caller": {"party": party, "kind": kind, "applicationVersion": f"v{ordinal}"},
        "callee": {"party": None, "kind": "service", "applicationVersion": None},
        "streams": [stream | figures],
    }


def _record() -> Json:
    """The restricted record of it, with what the judge does not read left out."""
    kinds = ((USER, "user"), (GUEST, "guest"), (PHONE, "phone"))
    parties = [{"index": index, "kind": kind, "id": name} for index, (name, kind) in enumerate(kinds)]
    head = {"type": "groupCall", **_times(0, 1800), "modalities": ["audio"], "sessionCount": 2}
    return {**head, "parties": parties, "sessions": [_told(0, 0, "user"), _told(1, 2, "phone")]}


def test_a_record_says_what_graph_s_json_says() -> None:
    """Parties once each, in order; sessions by start; times cut to a millionth."""
    source = contents_of_graph(_graph())
    assert source.kinds == ("user", "guest", "phone")
    assert source == contents_of_record(_record())


def test_the_open_events_say_their_part_of_it() -> None:
    """A call without ids and sessions, a session alone, a marker with the count."""
    source, record = contents_of_graph(_graph()), _record()
    call = contents_of_call({name: value for name, value in record.items() if name != "sessions"})
    assert (call.call, call.count, call.kinds) == (source.call, source.count, source.kinds)
    assert (call.people, call.sessions) == ("", {})
    for ordinal, session in enumerate(record["sessions"]):
        assert contents_of_session({**session, "sessionCount": 2}).sessions == {ordinal: source.sessions[ordinal]}
    marker = contents_of_session({"sessionCount": 2, "completed": True})
    assert (marker.count, marker.sessions) == (2, {})


def _rows() -> list[Any]:
    second = 1_000_000
    ends, audio = _ZERO + 1800 * second, ["audio"]
    medium = ["callerToCallee", None, 0.125, _ZERO + second, _ZERO + 59 * second + 123_456]
    streams = [[o, 0, 0, 0, "main-audio", f"s{o}", medium[0], 7 + o, *medium[2:]] for o in (0, 1)]
    sessions = [
        [
            o,
            f"session-{o}",
            _ZERO + 60 * o * second,
            ends,
            audio,
            False,
            1,
            [party, kind, f"v{o}"],
            [None, "service", None],
        ]
        for o, party, kind in ((0, 0, "user"), (1, 2, "phone"))
    ]
    people = [["user", USER], ["guest", GUEST], ["phone", PHONE]]
    return [["groupCall", _ZERO, ends, audio], 2, people, sessions, streams]


def test_the_store_s_rows_say_the_same() -> None:
    """Participants, sessions and streams, each from its table."""
    assert contents_of_rows(*_rows()) == contents_of_graph(_graph())


@pytest.mark.parametrize(
    ("table", "place"), [(2, slice(1, None)), (3, slice(1)), (4, slice(0)), (4, slice(1))],
    ids=["one participant", "one session", "no streams", "streams of one session"],
)  # fmt: skip
def test_rows_that_are_missing_are_seen(table: int, place: slice) -> None:
    """Whichever table lacks them."""
    rows = _rows()
    rows[table] = rows[table][place]
    assert contents_of_rows(*rows) != contents_of_graph(_graph())


def _changes(graph: Any) -> dict[str, Callable[[], object]]:
    """Every way to change this record."""
    parties, sessions = graph["participants_v2"], graph["sessions"]
    first = sessions[0]
    streams = first["segments"][0]["media"][0]["streams"]
    return {
        "start": lambda: graph.update(startDateTime="2026-11-02T09:00:00.1Z"),
        "kind of a party": lambda: parties[1]["identity"]["user"].update(id="8:acs:x"),
        "id of a party": lambda: parties[1]["identity"]["user"].update(id="teamsvisitor:other"),
        "a party": parties.pop,
        "a session": sessions.pop,
        "a session twice": lambda: sessions.append(first),
        "a session's end": lambda: first.update(endDateTime=None),
        "a session's id": lambda: first.update(id="session-0"),
        "a side": lambda: first.update(callee=None),
        "who called": lambda: first["caller"]["associatedIdentity"].update(id=GUEST),
        "a segment": lambda: first["segments"].append({}),
        "a stream": streams.pop,
        "a stream's figure": lambda: streams[0].update(streamId="x"),
    }


@pytest.mark.parametrize("change", _changes(_graph()))
def test_every_part_of_a_version_counts(change: str) -> None:
    """Whatever differs in Graph's JSON is a difference to what was published of it."""
    changed = deepcopy(_graph())
    _changes(changed)[change]()
    assert contents_of_graph(changed) != contents_of_record(_record())


@pytest.mark.parametrize(
    ("identity", "kind"),
    [
        ({"user": {"id": USER}}, "user"),
        ({"applicationInstance": {"id": USER}}, "application"),
        ({"phone": None, "acsUser": {"id": "x"}}, "guest"),
        ({"user": {"id": "+4989****"}}, "phone"),
        ({"somethingNew": {"id": "28:bot"}}, "application"),
        ({"somethingNew": {"id": "x"}}, "unknown"),
        ({"encrypted": {"id": "x", "@odata.type": f"{_TYPE}userIdentity"}}, "user"),
    ],
)
def test_kinds(identity: Json, kind: str) -> None:
    """The shape of the id, then the type, then the member of the set, then a GUID."""
    assert contents_of_graph({"participants_v2": [{"id": "e", "identity": identity}]}).kinds == (kind,)


def test_old_payloads_are_read_too() -> None:
    """From before participants_v2: sets themselves, and `identity` at the sides."""
    side = {"identity": {"user": {"id": USER}}}
    graph = {"organizer": {"user": {"id": USER}}, "participants": [{"phone": {"id": PHONE}}]}
    contents = contents_of_graph({**graph, "sessions": [{"caller": side}]})
    assert contents.kinds == ("user", "phone")


@pytest.mark.parametrize("odd", [None, 5, "x", [], [5], {"a": 1}], ids=str)
def test_nothing_odd_ends_the_reading(odd: Any) -> None:
    """Anybody may have written what is read here."""
    names = ("sessions", "parties", "participants_v2", "organizer_v2", "startDateTime", "modalities", "sessionCount")
    poison: Json = dict.fromkeys(names, odd)
    session = {"ordinal": odd, "caller": odd, "segments": odd, "streams": odd, "id": odd, "index": odd}
    for read in (contents_of_graph, contents_of_record, contents_of_call, contents_of_session):
        read(poison)
        read({**poison, **session, "sessions": [session], "parties": [session], "participants_v2": [session]})


def test_a_loss_of_nothing_is_read_the_same_from_postgresql() -> None:
    """Which writes 0 where Graph writes 0.0; half a per cent is another loss, and no number is too large to be read."""
    assert digest([["main-audio", 0.0]]) == digest([["main-audio", 0]])
    assert digest([0.005]) != digest([0])
    assert digest([1e300]) != digest([1])


def _served(**changes: object) -> Json:
    """A small record as Graph would serve it."""
    session = {"id": "a", "@odata.type": "#x", "n": 1.0, "segments": [{"id": "b"}]}
    return {"sessions": [session, {"id": "c"}], "participants_v2": [{"id": "p"}], **changes}


def test_links_and_order_do_not_change_the_hash() -> None:
    """Pages may bring children in any order, with any annotation."""
    sessions = [
        {"id": "c", "segments@odata.context": "x"},
        {"segments": [{"id": "b"}], "n": 1.0, "@odata.type": "#x", "id": "a"},
    ]
    assert children_of(_served(sessions=sessions)) == children_of(_served())


@pytest.mark.parametrize(
    "sessions",
    [[{"id": "c"}], [{"id": "c"}, {"id": "c"}], [{"id": "a", "n": 1.0, "segments": [{"id": "b"}]}, {"id": "c"}]],
)
def test_a_missing_a_repeated_and_a_changed_child_change_the_hash(sessions: list[object]) -> None:
    """A cut, a doubled and a rewritten child are seen."""
    assert children_of(_served(sessions=sessions)).sessions_hash != children_of(_served()).sessions_hash
