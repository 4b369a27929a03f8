"""What Graph sent arrives whole where it may, and not at all where it may not; what is hostile goes nowhere."""

import uuid
from collections.abc import Iterable
from copy import deepcopy
from typing import Any

import orjson
import pytest
from ringback_events.consume import SessionAssembler, read_session_event
from ringback_events.topics import CALLS, INTERNAL_DEAD_LETTERS, RECORDS, SESSIONS
from ringback_faults.contents import children_of
from ringback_testing import eventually
from ringback_testing.graph_records import CALL, DOCUMENTED_LINK, documented, meeting
from ringback_testing.installation import Installation
from ringback_testing.records import Record
from ringback_testing.searching import found_in, leaves, personal_values
from ringback_testing.token_catcher import open_token_catcher

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300), pytest.mark.asyncio(loop_scope="session")]


def documents() -> list[Any]:
    """A record with every kind of party, and one of the members and forms of Graph's documentation."""
    everybody = meeting() | {"sessions@odata.nextLink": DOCUMENTED_LINK.format(CALL)}
    return [pytest.param(everybody, id="every kind of party"), pytest.param(documented(), id="as documented")]


@pytest.mark.parametrize("document", documents())
async def test_a_record_is_whole_in_the_restricted_tier_and_nobody_in_the_open_one(
    installation: Installation, document: dict[str, Any]
) -> None:
    """Every member and value is in `restricted.records`; the search that finds people there finds none in `open.*`."""
    await installation.install(document, "own")
    row = await installation.stored(document["id"], version=document["version"])
    record = await installation.record(document["id"], document["version"])
    reported = list(leaves(document))
    assert [leaf for leaf in reported if leaf not in list(leaves(record["graph"]))] == []
    assert [leaf for leaf in reported if leaf not in list(leaves(orjson.loads(row["document"])))] == []
    people = personal_values(document)
    assert len(people) >= 8
    assert found_in(people, *everything(await installation.on(RECORDS, document["id"]))) == people
    for topic in (CALLS, SESSIONS):
        events = await installation.on(topic, document["id"])
        assert events
        assert found_in(people, *everything(events)) == set()


def everything(records: Iterable[Record]) -> list[bytes]:
    """Keys, values, and headers with their names."""
    return [
        part or b""
        for record in records
        for part in (record.key, record.value, *(data for name, value in record.headers for data in (name, value)))
        for part in ([part.encode()] if isinstance(part, str) else [part])
    ]


@pytest.mark.parametrize("document", documents())
async def test_a_foreign_and_malformed_next_link_ends_in_the_dead_letters(
    installation: Installation, document: dict[str, Any]
) -> None:
    """Served untouched, the record is refused after its one response; nothing is published or stored of it."""
    hostile = renamed(document)
    await installation.install(hostile, "untouched")
    await _is_refused(installation, hostile["id"])


async def test_no_token_follows_a_foreign_next_link(installation: Installation) -> None:
    """A well-formed next link to another port of a trusted host gets no request, let alone a token."""
    folder = installation.stack.simulator.ca_file.parent
    async with open_token_catcher(folder / "server.pem", folder / "server.key") as catcher:
        hostile = renamed(meeting())
        link = f"https://localhost:{catcher.port}/v1.0/communications/callRecords/{hostile['id']}/sessions?$skiptoken=a"
        await installation.install(hostile | {"sessions@odata.nextLink": link}, "untouched")
        await eventually(lambda: _ended(installation, hostile["id"]), 60)
        assert (catcher.connections, catcher.heads) == (0, [])
        await _is_refused(installation, hostile["id"])


async def _ended(installation: Installation, call_id: str) -> bool:
    """Whether the call was published or refused."""
    return bool(await installation.on(CALLS, call_id) or await installation.on(INTERNAL_DEAD_LETTERS, call_id))


async def _is_refused(installation: Installation, call_id: str) -> None:
    letters = await eventually(lambda: installation.on(INTERNAL_DEAD_LETTERS, call_id), 60)
    assert dict(letters[0].headers)["ringback_dlq_reason"] == b"hostile_link"
    assert await installation.on(RECORDS, call_id) == await installation.on(CALLS, call_id) == []
    assert await installation.row(call_id) is None
    assert [line["route"] for line in await installation.requests(call_id)] == ["record"]


def renamed(document: dict[str, Any]) -> dict[str, Any]:
    """The same record as another call."""
    return deepcopy(document) | {"id": str(uuid.uuid4())}


@pytest.mark.parametrize(("shape", "sessions", "participants"), [("largeMeeting", 1000, 0), ("webinar", 0, 400)])
async def test_the_largest_calls_arrive_whole_in_topics_and_tables(
    installation: Installation, shape: str, sessions: int, participants: int
) -> None:
    """Every session and participant stands on the topics, in their order, and in the store, by content hash."""
    made = await installation.call(shape)
    assert made["sessions"] >= sessions
    assert made["participants"] >= participants
    row = await installation.stored(made["callId"], timeout=150)
    expected = await installation.graph("GET", f"calls/{made['tenantId']}/{made['callId']}")
    held = expected["versions"]["1"]
    for document in (orjson.loads(row["document"]), (await installation.record(made["callId"]))["graph"]):
        children = children_of(document)
        assert (children.sessions, children.participants) == (made["sessions"], made["participants"])
        assert (children.sessions_hash, children.participants_hash) == (held["sessionsHash"], held["participantsHash"])
    await _sessions_are_whole_on_the_topic(installation, made)
    await _rows_are_the_documents(installation, made["callId"], orjson.loads(row["document"]))


async def _sessions_are_whole_on_the_topic(installation: Installation, made: dict[str, Any]) -> None:
    events = await installation.on(SESSIONS, made["callId"])
    assert len({event.partition for event in events}) == 1
    reported = [orjson.loads(event.value or b"") for event in sorted(events, key=lambda event: event.offset)]
    assert [one.get("ordinal") for one in reported] == [*range(made["sessions"]), None]
    assert reported[-1]["completed"] is True
    assert reported[-1]["sessionCount"] == made["sessions"]
    assembler = SessionAssembler()
    wholes = [assembler.add(read_session_event(event.value or b""), event.offset) for event in events]
    (whole,) = [one for one in wholes if one is not None]
    assert len(whole.sessions) == made["sessions"]


async def _rows_are_the_documents(installation: Installation, call_id: str, document: dict[str, Any]) -> None:
    ids = await installation.store.fetch("SELECT session_id FROM callrecords.session WHERE call_id = $1", call_id)
    assert sorted(row["session_id"] for row in ids) == sorted(session["id"] for session in document["sessions"])
    parties = await installation.store.fetch("SELECT id FROM callrecords.participant WHERE call_id = $1", call_id)
    reported = {participant["id"] for participant in document["participants_v2"]}
    assert reported <= {row["id"] for row in parties}
    streams = "SELECT count(*) FROM callrecords.stream WHERE call_id = $1"
    expected = sum(path[-1] == "streamId" for path, _value in leaves(document))
    assert await installation.store.fetchval(streams, call_id) == expected
