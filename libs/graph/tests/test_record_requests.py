"""Which requests a read of a record sends, and what it makes of each answer to the second one."""

from typing import Any

import orjson
import pytest
from ringback_common.errors import Throttled
from ringback_graph.answers import Forbidden, Found, Malformed, NotFound, Refused, Unstable
from ringback_graph.availability import Priority
from ringback_graph.exchange import Reply
from ringback_graph.records import RecordReader
from ringback_graph.tenants import Tenant
from ringback_testing.paged_record import CALL, PARTICIPANTS, ROOT, SESSIONS, SIDES, VERSION, PagedRecord
from ringback_testing.scripted_graph import Asked, ScriptedGraph, reply

LIVE, BULK = Priority.LIVE, Priority.BULK


async def read(graph: ScriptedGraph, tenant: Tenant, priority: Priority = BULK) -> Any:
    """Read the record."""
    return await RecordReader(graph.client()).read(tenant, CALL, priority, "trace-1")


def asked(graph: ScriptedGraph) -> list[str]:
    """What was asked for, in order, without the record's own address."""
    return [request.url.removeprefix(ROOT) for request in graph.requests]


async def test_a_peer_to_peer_call_of_one_reply_costs_one_request(graph: ScriptedGraph, tenant: Tenant) -> None:
    """Sessions alone: both of its people are their sides. Our headers, and every member kept."""
    record = graph.answer = PagedRecord(reply, sessions=1)
    record.type = "peerToPeer"
    found = await read(graph, tenant, LIVE)
    assert isinstance(found, Found)
    assert (found.version, found.requests, found.started_at) == (1, 1, graph.clock.now())
    assert found.record["strange"] == {"kept": [None]}
    assert found.record["sessions@odata.context"] == "kept"
    assert "participants_v2" not in found.record
    (request,) = graph.requests
    assert request.url == f"{ROOT}?{SESSIONS}"
    assert request.headers["Authorization"] == "Bearer token-1"
    assert request.headers["Prefer"] == "include-unknown-enum-members"
    assert request.headers["client-request-id"] == "trace-1"


@pytest.mark.parametrize("kind", ["groupCall", "unknown", "unknownFutureValue", None, 5])
async def test_any_other_call_costs_two(graph: ScriptedGraph, tenant: Tenant, kind: Any) -> None:
    """One relationship a request: sessions, then participants with the version they are of."""
    record = graph.answer = PagedRecord(reply, sessions=60, participants=130)
    record.type = kind
    found = await read(graph, tenant, LIVE)
    assert isinstance(found, Found)
    assert asked(graph) == [f"?{SESSIONS}", f"?{PARTICIPANTS}"]
    assert len(found.record["participants_v2"]) == 130
    assert found.record["participants"] == [{"user": {"id": "old-participant"}}]


@pytest.mark.parametrize(
    ("kind", "sessions", "participants", "expected"),
    [
        ("peerToPeer", 0, 2, ["record", "participants"]),
        ("peerToPeer", 61, 2, ["record", "page", "participants"]),
        ("groupCall", 0, 0, ["record", "participants"]),
        ("groupCall", 150, 20, ["record", "page", "page", "participants"]),
        ("groupCall", 3, 131, ["record", "participants", "page", "version"]),
        ("groupCall", 61, 261, ["record", "page", "participants", "page", "page", "version"]),
    ],
)
async def test_pages_cost_a_request_each_and_the_version_one_where_participants_go_on(
    graph: ScriptedGraph, tenant: Tenant, kind: str, sessions: int, participants: int, expected: list[str]
) -> None:
    """The pages of sessions come first, so that the request for the participants checks their version, too."""
    record = graph.answer = PagedRecord(reply, sessions, participants)
    record.type = kind
    found = await read(graph, tenant)
    assert isinstance(found, Found)
    names = {f"?{SESSIONS}": "record", f"?{PARTICIPANTS}": "participants", f"?{VERSION}": "version"}
    assert [names.get(each, "page") for each in asked(graph)] == expected
    assert (len(found.record["sessions"]), len(found.record["participants_v2"])) == (sessions, participants)


@pytest.mark.parametrize("sessions", [{}, {"sessions": None}, {"sessions": []}, {"sessions": {}}, {"sessions": [None]}])
async def test_a_peer_to_peer_call_without_a_session_is_asked_about_again(
    graph: ScriptedGraph, tenant: Tenant, sessions: Any
) -> None:
    """Missing, null, empty or odd sessions say nothing about who took part."""
    found = await read_one_of_two(graph, tenant, sessions)
    assert (found.requests, len(found.record["participants_v2"])) == (2, 2)


async def read_one_of_two(graph: ScriptedGraph, tenant: Tenant, sessions: Any) -> Found:
    """Read a peer-to-peer call of two participants, whose first reply says this of its sessions."""
    record = graph.answer = PagedRecord(reply, participants=2)
    whole = record.head() | {"type": "peerToPeer"} | sessions
    record.before = lambda request: reply(200, whole) if request.url.endswith(SESSIONS) else None
    found = await read(graph, tenant)
    assert isinstance(found, Found)
    return found


SERVICE = {"@odata.type": "#microsoft.graph.callRecords.serviceEndpoint"}
USER, WHOLE, MASKED = "5f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0", "+493012345678", "+493012345***"


def named(identity: Any, **more: Any) -> dict[str, Any]:
    """A side that names a person."""
    return {"associatedIdentity": identity} | more


@pytest.mark.parametrize(
    "side",
    [
        None,
        {},
        named(None),
        named({"displayName": "Somebody"}),
        named({"id": "anonymous"}),
        named({"id": "tel:Anonymous"}),
        named({"id": MASKED}),
        named({"id": "an-id-of-no-form"}),
        {"identity": {"phone": {"id": "withheld"}}},
        SERVICE,
        named({"id": USER}, **SERVICE),
        named({"id": USER}, **SERVICE, userAgent={"role": None}),
        named({"id": USER}, **SERVICE, userAgent={"role": "unknownFutureValue"}),
        SERVICE | {"userAgent": {"role": "voicemail"}},
    ],
)
async def test_a_peer_to_peer_call_with_a_side_that_does_not_tell_who_it_is_is_asked_about_again(
    graph: ScriptedGraph, tenant: Tenant, side: Any
) -> None:
    """The list names whom the session leaves out, withholds, or shows at a service that tells no role."""
    for at in ("caller", "callee"):
        found = await read_one_of_two(graph, tenant, {"sessions": [SIDES | {at: side}]})
        assert (found.requests, len(found.record["participants_v2"])) == (2, 2)
    found = await read_one_of_two(graph, tenant, {"sessions": [SIDES, SIDES | {"callee": side}]})
    assert found.requests == 2


@pytest.mark.parametrize(
    "side",
    [
        named({"id": USER}),
        named({"id": WHOLE}),
        named({"id": WHOLE}, **SERVICE),
        named({"id": "teamsvisitor:ab"}, **SERVICE),
        named({"id": "28:bot"}, **SERVICE),
        named({"id": USER}, **SERVICE, userAgent={"role": "skypeForBusinessCallQueues"}),
        {"identity": {"user": {"id": USER}}},
    ],
)
async def test_a_peer_to_peer_call_whose_sides_tell_who_they_are_is_not(
    graph: ScriptedGraph, tenant: Tenant, side: Any
) -> None:
    """An id of its own, and a kind: by its form, its type, or the role of the service it is the account of."""
    found = await read_one_of_two(graph, tenant, {"sessions": [SIDES | {"callee": side}]})
    assert found.requests == 1


@pytest.mark.parametrize(("member", "then"), [("version", 2), ("lastModifiedDateTime", "2026-11-22T10:00:07Z")])
async def test_a_version_that_rises_between_the_two_requests_starts_the_read_over(
    graph: ScriptedGraph, tenant: Tenant, member: str, then: Any
) -> None:
    """Sessions of one version and participants of another are no record; either member shows the change."""
    record, risen = PagedRecord(reply), [then]

    def before(request: Asked) -> Reply | None:
        if not request.url.endswith(PARTICIPANTS) or not risen:
            return None
        of_the_new = (
            record.head() | record.part("participants_v2", 0, "participants_v2", "next") | {member: risen.pop()}
        )
        return reply(200, of_the_new)

    record.before = before
    graph.answer = record
    found = await read(graph, tenant)
    assert isinstance(found, Found)
    assert asked(graph) == [f"?{SESSIONS}", f"?{PARTICIPANTS}"] * 2
    assert found.requests == 4


async def test_a_list_that_goes_on_unasked_and_asked_for_is_no_circle(graph: ScriptedGraph, tenant: Tenant) -> None:
    """Microsoft's sample shows participants without `$expand`: the second request's list is the record's."""
    record = graph.answer = PagedRecord(reply, 1, 131)
    unasked = record.head() | record.part("sessions", 0, "sessions", "") | {"type": "groupCall"}
    unasked |= record.part("participants_v2", 0, "participants_v2", "participants_v2@odata.nextLink")
    record.before = lambda request: reply(200, unasked) if request.url.endswith(SESSIONS) else None
    found = await read(graph, tenant)
    assert isinstance(found, Found)
    assert [each["id"] for each in found.record["participants_v2"]] == [f"participants_v2-{n}" for n in range(131)]


@pytest.mark.parametrize(
    "last_old", [f"?{SESSIONS}", "/sessions?$skip=60", f"?{PARTICIPANTS}", "/participants_v2?$skip=130"]
)
async def test_no_record_is_of_two_versions_whichever_reply_was_the_last_of_the_old_one(
    graph: ScriptedGraph, tenant: Tenant, last_old: str
) -> None:
    """Between the two requests, between pages of either kind and before the last check: all is read again."""
    record = PagedRecord(reply, 150, 300)

    def before(request: Asked) -> Reply | None:
        if record.version == 1 and request.url.endswith(last_old):
            served = record.reply(200, _rewritten(record, request))
            record.version = 2
            return served
        return None

    record.before = before
    graph.answer = record
    found = await read(graph, tenant)
    assert isinstance(found, Found)
    assert found.version == 2
    assert {each["v"] for name in ("sessions", "participants_v2") for each in found.record[name]} == {2}
    assert (len(found.record["sessions"]), len(found.record["participants_v2"])) == (150, 300)


def _rewritten(record: PagedRecord, request: Asked) -> Any:
    """What the record serves before its version rises."""
    plain = PagedRecord(record.reply, record.sessions, record.participants)
    return orjson.loads(plain(request).body or b"")


async def test_a_record_whose_version_rises_with_every_read_is_unstable(graph: ScriptedGraph, tenant: Tenant) -> None:
    """The first attempt and three more, two requests each."""
    record = PagedRecord(reply)

    def before(request: Asked) -> None:
        record.version += request.url.endswith(PARTICIPANTS)

    record.before = before
    graph.answer = record
    assert await read(graph, tenant) == Unstable(8)


@pytest.mark.parametrize(
    ("status", "body", "answer"),
    [
        (403, {"error": {"code": "Forbidden"}}, Forbidden("Forbidden")),
        (410, {"error": {"code": "Gone"}}, Refused(410, "Gone")),
        (200, ["x"], Malformed("json")),
        (200, {"error": {"code": "UnknownError"}}, Malformed("id")),
        (200, {"id": "another", "version": 1, "participants_v2": []}, Malformed("id")),
        (200, {"id": CALL, "participants_v2": []}, Malformed("version")),
    ],
)
async def test_a_second_answer_that_is_no_record_of_this_call_is_an_answer_as_any_other(
    graph: ScriptedGraph, tenant: Tenant, status: int, body: Any, answer: object
) -> None:
    """Nothing of it is joined with the sessions."""
    record = graph.answer = PagedRecord(reply)
    record.before = lambda request: reply(status, body) if request.url.endswith(PARTICIPANTS) else None
    assert await read(graph, tenant) == answer


@pytest.mark.parametrize(("participants", "missing"), [(2, PARTICIPANTS), (300, VERSION), (300, "$skip=130")])
async def test_a_later_request_that_finds_nothing_met_a_replica_that_lags(
    graph: ScriptedGraph, tenant: Tenant, participants: int, missing: str
) -> None:
    """Graph had the record a moment ago: it is read again, and is unstable, not gone, if that goes on."""
    record, lagging = PagedRecord(reply, participants=participants), [404]
    record.before = lambda request: reply(lagging.pop(), {}) if request.url.endswith(missing) and lagging else None
    graph.answer = record
    found = await read(graph, tenant)
    assert isinstance(found, Found)
    assert len(found.record["participants_v2"]) == participants
    assert asked(graph).count(f"?{SESSIONS}") == 2

    record.before = lambda request: reply(404, {}) if request.url.endswith(missing) else None
    assert isinstance(await read(graph, tenant), Unstable)


async def test_a_record_that_went_meanwhile_is_not_found(graph: ScriptedGraph, tenant: Tenant) -> None:
    """The first request of the next attempt says so."""
    record = graph.answer = PagedRecord(reply)
    record.before = lambda _: reply(404, {}) if graph.requests[1:] else None
    assert await read(graph, tenant) == NotFound()
    assert asked(graph) == [f"?{SESSIONS}", f"?{PARTICIPANTS}", f"?{SESSIONS}"]


@pytest.mark.parametrize(
    ("body", "answer"),
    [
        ({"id": "another", "version": 1}, Malformed("id")),
        ({"error": {"code": "UnknownError"}}, Malformed("id")),
        ({"id": CALL}, Malformed("version")),
    ],
)
async def test_a_first_answer_that_is_no_record_of_this_call_costs_one_request(
    graph: ScriptedGraph, tenant: Tenant, body: Any, answer: object
) -> None:
    """What would be compared with it says nothing, and a record of another call is not read again as if it changed."""
    record = graph.answer = PagedRecord(reply)
    record.before = lambda request: reply(200, body) if request.url.endswith(SESSIONS) else None
    assert await read(graph, tenant) == answer
    assert len(graph.requests) == 1


async def test_every_member_of_the_participants_is_kept(graph: ScriptedGraph, tenant: Tenant) -> None:
    """What Graph writes beside the list, too; a list that is missing or null means an empty list."""
    record = graph.answer = PagedRecord(reply)
    for reported in (
        {"participants_v2@odata.context": "c", "participants_v2": [{"id": "p"}]},
        {"participants_v2": None},
        {},
    ):
        answer = record.head() | {"@odata.context": "of this answer"} | reported
        record.before = lambda request, answer=answer: (
            reply(200, answer) if request.url.endswith(PARTICIPANTS) else None
        )
        found = await read(graph, tenant)
        assert isinstance(found, Found)
        assert {name: of for name, of in found.record.items() if name.startswith("participants_v2")} == reported
        assert "@odata.context" not in found.record


@pytest.mark.parametrize("status", [400, 404, 410])
async def test_a_page_of_participants_that_died_starts_the_read_over(
    graph: ScriptedGraph, tenant: Tenant, status: int
) -> None:
    """One page less would be a call with fewer people than it had."""
    record, died = PagedRecord(reply, 3, 300), [status]
    record.before = lambda request: reply(died.pop(), {}) if "$skip=260" in request.url and died else None
    graph.answer = record
    found = await read(graph, tenant)
    assert isinstance(found, Found)
    assert len(found.record["participants_v2"]) == 300


@pytest.mark.parametrize(("sessions", "kept"), [(3, False), (61, True)])
async def test_a_pause_before_the_participants_is_waited_out_where_pages_were_read(
    graph: ScriptedGraph, tenant: Tenant, sessions: int, *, kept: bool
) -> None:
    """One reply costs as little to be read again, and leaves its place to others; pages are kept."""
    record, pauses = PagedRecord(reply, sessions), ["3"]
    record.before = lambda request: (
        reply(429, {}, Retry_After=pauses.pop()) if request.url.endswith(PARTICIPANTS) and pauses else None
    )
    graph.answer = record
    if kept:
        found = await read(graph, tenant)
        assert isinstance(found, Found)
        assert asked(graph).count(f"?{SESSIONS}") == 1
    else:
        with pytest.raises(Throttled):
            await read(graph, tenant)


@pytest.mark.parametrize(("sessions", "participants"), [(150, 2), (3, 300), (130, 131)])
async def test_the_rest_behind_a_link_as_in_microsoft_s_sample_is_read_from_the_record_s_own_address(
    graph: ScriptedGraph, tenant: Tenant, sessions: int, participants: int
) -> None:
    """`$metadata#…` leads nowhere: the skip token is sent to /sessions or /participants_v2 of this record."""
    record = graph.answer = PagedRecord(reply, sessions, participants)
    record.sample = True
    found = await read(graph, tenant)
    assert isinstance(found, Found)
    assert [each["id"] for each in found.record["sessions"]] == [f"sessions-{n}" for n in range(sessions)]
    assert len(found.record["participants_v2"]) == participants
    pages = [f"/sessions?$expand=segments&$skiptoken={n}" for n in range(60, sessions, 60)]
    people = [f"/participants_v2?$skiptoken={n}" for n in range(130, participants, 130)]
    checked = [f"?{VERSION}"] if people else []
    assert asked(graph) == [f"?{SESSIONS}", *pages, f"?{PARTICIPANTS}", *people, *checked]
    assert not [name for name in found.record if name.endswith("nextLink")]
