"""Reading records as a client does: pages, preferences, lists, versions."""

import asyncio
import hashlib
from typing import Any, cast
from urllib.parse import unquote

import orjson
import pytest

from .conftest import PARTICIPANTS, SESSIONS, TENANT, UNKNOWN_MEMBERS, Lab


def _canonical(value: Any) -> Any:
    links = ("@odata.context", "@odata.nextLink", "@odata.count", "@odata.etag", "@odata.id")
    if isinstance(value, dict):
        members = cast("dict[str, Any]", value)
        return {name: _canonical(member) for name, member in members.items() if not name.endswith(links)}
    return [_canonical(item) for item in cast("list[Any]", value)] if isinstance(value, list) else value


def _hashes(children: list[Any]) -> list[str]:
    """The documented hash, written down a second time."""
    encoded = (orjson.dumps(_canonical(child), option=orjson.OPT_SORT_KEYS) for child in children)
    return sorted(hashlib.sha256(child).hexdigest()[:32] for child in encoded)


@pytest.mark.parametrize("shape", ["largeMeeting", "webinar", "queue", "peerToPeer"])
async def test_every_page_together_is_the_record_the_ledger_expects(lab: Lab, shape: str) -> None:
    """All pages of a record hash to what the reckoning says, child by child, and the counts agree."""
    call = await lab.call(shape=shape)
    body = await lab.whole(call["callId"], **UNKNOWN_MEMBERS)
    entry = await lab.control("GET", f"calls/{TENANT}/{call['callId']}")
    version = entry["versions"]["1"]
    assert (len(body["sessions"]), len(body["participants_v2"])) == (entry["sessions"], entry["participants"])
    assert _hashes(body["sessions"]) == version["sessionHashes"]
    assert _hashes(body["participants_v2"]) == version["participantHashes"]
    assert version["sessionsHash"] == hashlib.sha256("\n".join(version["sessionHashes"]).encode()).hexdigest()[:32]


async def test_pages_hold_60_sessions_and_130_participants(lab: Lab) -> None:
    """The documented page sizes hold in the record and in its next links, which stay on the simulator's own host."""
    call = await lab.call(shape="largeMeeting")
    body = await lab.record(call["callId"]) | await lab.record(call["callId"], PARTICIPANTS)
    assert (call["sessions"], call["participants"]) == (1000, 640)
    assert (len(body["sessions"]), len(body["participants_v2"])) == (60, 130)
    for kind, size in (("sessions", 60), ("participants_v2", 130)):
        link = body[f"{kind}@odata.nextLink"]
        assert link.startswith(f"{lab.ready['graphUrl']}/v1.0/")
        assert "$skiptoken=" in link
        assert (await lab.graph("GET", unquote(link))).status == 400, "a next link is followed byte for byte"
        assert len((await lab.get(link))["value"]) == size


async def test_page_size_can_be_lowered_but_not_raised(lab: Lab) -> None:
    """odata.maxpagesize below the limit is obeyed along the whole chain; above it, the limit holds."""
    call = await lab.call(shape="smallMeeting", sessions=70, participants=8)
    path = f"communications/callRecords/{call['callId']}/sessions?$expand=segments"
    page = await lab.get(path, Prefer="odata.maxpagesize=25")
    assert len(page["value"]) == 25
    assert len((await lab.get(page["@odata.nextLink"]))["value"]) == 25
    assert len((await lab.get(path, Prefer="odata.maxpagesize=500"))["value"]) == 60


async def test_unknown_members_only_for_who_prefers_them(lab: Lab) -> None:
    """Members after unknownFutureValue are replaced by it, and by nothing else, without the preference."""
    call = await lab.call(shape="webinar")
    plain = orjson.dumps((await lab.record(call["callId"]))["sessions"])
    asked = orjson.dumps((await lab.record(call["callId"], **UNKNOWN_MEMBERS))["sessions"])
    assert b"azureCommunicationServices" in asked
    assert b"azureCommunicationServices" not in plain
    assert b"unknownFutureValue" in plain


async def test_nulls_can_be_omitted(lab: Lab) -> None:
    """omit-values=nulls leaves no null anywhere."""
    call = await lab.call(shape="smallMeeting")
    assert b"null" in orjson.dumps(await lab.record(call["callId"]))
    assert b"null" not in orjson.dumps(await lab.record(call["callId"], Prefer="omit-values=nulls"))


async def test_select_and_expand_are_obeyed(lab: Lab) -> None:
    """The version check is small, sessions without segments have none, and a foreign expand is refused."""
    call = await lab.call()
    check = await lab.record(call["callId"], "?$select=id,version,lastModifiedDateTime")
    assert check.keys() == {"@odata.context", "id", "version", "lastModifiedDateTime"}
    bare = await lab.record(call["callId"], "?$expand=sessions")
    assert all("segments" not in session for session in bare["sessions"])
    people = await lab.record(call["callId"], PARTICIPANTS)
    kept = {"id", "version", "lastModifiedDateTime", "participants_v2"}
    assert people.keys() == {"@odata.context", "participants_v2@odata.context", *kept}
    refused = await lab.graph("GET", f"communications/callRecords/{call['callId']}?$expand=secrets")
    assert refused.status == 400


async def test_a_version_that_rises_between_pages_is_visible(lab: Lab) -> None:
    """With the mark, a reader that joins pages of two versions can be convicted."""
    call = await lab.call(shape="smallMeeting", sessions=61, versionMark=True)
    await lab.control(
        "POST", "faults", {"effect": "versionRise", "route": "record", "callId": call["callId"], "count": 1}
    )
    body = await lab.whole(call["callId"])
    marks = {session["caller"]["userAgent"]["applicationVersion"] for session in body["sessions"]}
    inner = {
        segment["caller"]["userAgent"]["applicationVersion"] for one in body["sessions"] for segment in one["segments"]
    }
    assert marks == inner == {"mark-v1", "mark-v2"}
    people = {unit["id"] for one in body["participants_v2"] for unit in one["administrativeUnitInfos"]}
    assert "mark-v2" in people
    assert (await lab.record(call["callId"], "?$select=version"))["version"] == 2


async def test_a_record_can_be_hidden_at_first(lab: Lab) -> None:
    """GET answers 404 until the wait is over, LIST leaves the call out, and the ledger knows of it."""
    call = await lab.call(visibleAfterSeconds=100)
    path = f"communications/callRecords/{call['callId']}"
    assert (await lab.graph("GET", path)).status == 404
    assert (await lab.get("communications/callRecords"))["value"] == []

    await asyncio.sleep(1.1)  # a hundredth of Graph's wait; to ask meanwhile would use up the record's quota
    assert (await lab.graph("GET", path)).status == 200
    assert "notFoundFirst" in [line["what"] for line in await lab.ledger("planted")]


async def test_a_record_can_be_absent_so_many_times(lab: Lab) -> None:
    """A lagging replica: 404 twice however late one asks, then the record."""
    call = await lab.call(notFoundTimes=2)
    path = f"communications/callRecords/{call['callId']}"
    assert [(await lab.graph("GET", path)).status for _ in range(3)] == [404, 404, 200]


@pytest.mark.parametrize("token", ["x", "MHw2MA", "%2b%2fx%3d", "%2b%2fYXxi%3d", "%2b%2fMHww%3d"])
async def test_a_skip_token_of_nobody_is_refused(lab: Lab, token: str) -> None:
    """A position that is not the simulator's is a 400, for children and lists alike."""
    call = await lab.call()
    for path in (f"communications/callRecords/{call['callId']}/sessions", "communications/callRecords"):
        assert (await lab.graph("GET", f"{path}?$skiptoken={token}")).status == 400


async def test_list_pages_by_60_and_filters_by_start(lab: Lab) -> None:
    """LIST gives every call of the window exactly once over its pages, headers only; it refuses other filters."""
    await lab.call(shape="peerToPeer", copies=130, notify=False)
    seen: list[str] = []
    link: str | None = "communications/callRecords?$filter=startDateTime%20ge%202020-01-01T00:00:00Z"
    sizes: list[int] = []
    while link:
        page = await lab.get(link)
        sizes.append(len(page["value"]))
        seen += [item["id"] for item in page["value"]]
        assert all("sessions" not in item for item in page["value"])
        link = page.get("@odata.nextLink")
    assert sizes == [60, 60, 10]
    assert len(set(seen)) == 130
    none = await lab.get("communications/callRecords?$filter=startDateTime%20lt%202020-01-01T00:00:00Z")
    assert none["value"] == []
    for query in ("$filter=lastModifiedDateTime%20ge%202020-01-01T00:00:00Z", "$expand=sessions", "$orderby=version"):
        assert (await lab.graph("GET", f"communications/callRecords?{query}")).status == 400


async def test_records_end_after_30_days(lab: Lab) -> None:
    """A call that ended more than 30 days ago, and one that was removed, are 404."""
    old = await lab.call(startDateTime="2020-02-25T18:52:21Z")
    gone = await lab.call()
    await lab.control("DELETE", f"calls/{TENANT}/{gone['callId']}")
    for call in (old, gone):
        assert (await lab.graph("GET", f"communications/callRecords/{call['callId']}{SESSIONS}")).status == 404


async def test_an_installed_document_is_served_as_it_is(lab: Lab) -> None:
    """Untouched, the document is byte for byte its JSON; with own links, they lead to an empty last page here."""
    document = {
        "id": "e523d2ed-2966-4b6b-925b-754a88034cc5",
        "version": 1,
        "startDateTime": "2026-02-25T18:52:21.2169889Z",
        "sessions": [{"id": "s", "segments@odata.context": "x", "segments": [{"id": "s"}]}],
        "sessions@odata.nextLink": "https://graph.microsoft.com/v1.0/$metadata#communications/x?$skiptoken=abc",
    }
    place = f"records/{TENANT}/{document['id']}"
    await lab.control("PUT", place, {"document": document, "nextLink": "untouched"})
    assert await lab.record(str(document["id"])) == document
    await lab.control("PUT", place, {"document": document, "nextLink": "own"})
    body = await lab.record(str(document["id"]))
    last = await lab.get(body["sessions@odata.nextLink"])
    assert last["value"] == []
    assert "@odata.nextLink" not in last
    assert (await lab.record(str(document["id"]), "?$select=id,version"))["version"] == 1


async def test_an_installed_document_goes_on_only_in_what_was_asked_for(lab: Lab) -> None:
    """Participants that a document shows unasked come without a link: the request that asks for them has one.

    With both, a reader would be sent the same link twice.
    """
    people = [{"id": f"p-{n}"} for n in range(131)]
    document = {"id": "e523d2ed-2966-4b6b-925b-754a88034cc5", "version": 1, "sessions": [], "participants_v2": people}
    await lab.control("PUT", f"records/{TENANT}/{document['id']}", {"document": document, "nextLink": "own"})
    unasked = await lab.record(str(document["id"]), SESSIONS)
    assert len(unasked["participants_v2"]) == 130
    assert "participants_v2@odata.nextLink" not in unasked
    asked = await lab.record(str(document["id"]), PARTICIPANTS)
    assert len((await lab.get(asked["participants_v2@odata.nextLink"]))["value"]) == 1
