"""Versions on the whole stack: never mixed, never back, and a burst costs two fetches."""

import asyncio
import uuid
from typing import Any

import orjson
import pytest
from ringback_events.consume import newer, read_call
from ringback_events.keys import call_key
from ringback_events.topics import CALLS, RECORDS, SESSIONS
from ringback_testing import eventually
from ringback_testing.installation import Installation
from ringback_testing.searching import leaves

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300), pytest.mark.asyncio(loop_scope="session")]


def marks(value: Any) -> set[str]:
    """Every version mark the simulator left in a record."""
    return {text for _path, text in leaves(value) if isinstance(text, str) and text.startswith("mark-v")}


LAST_OLD_PAGES = (("record", 1), ("sessions", 2), ("sessions", 3), ("participants", 1), ("participants", 2))
"""Of a call with 150 sessions and 150 participants; page 1 of its sessions comes with the record."""


async def test_a_version_that_rises_between_two_pages_is_never_mixed(installation: Installation) -> None:
    """Whichever page was the last of the old version, only the new one is published and stored, whole."""
    async with asyncio.TaskGroup() as calls:
        for route, page in LAST_OLD_PAGES:
            calls.create_task(_rises_behind(installation, route, page))


async def _rises_behind(installation: Installation, route: str, page: int) -> None:
    made = await installation.call("meeting", sessions=150, participants=150, notify=False)
    tenant, call_id = made["tenantId"], made["callId"]
    rise = {"callId": call_id, "route": route, "page": page, "effect": "versionRise", "count": 1}
    fault = await installation.graph("POST", "faults", rise)
    await installation.graph("POST", f"calls/{tenant}/{call_id}/notify", {"count": 1})
    row = await installation.stored(call_id)  # whatever is published first must be whole already
    fired = {one["id"]: one["fired"] for one in (await installation.graph("GET", "faults"))["faults"]}
    assert fired[fault["id"]] == 1
    (record,) = await installation.values(RECORDS, call_id)
    assert marks(record) == marks(orjson.loads(row["document"])) == {"mark-v2"}
    assert (record["version"], row["version"]) == (2, 2)
    opened = await installation.values(SESSIONS, call_id) + await installation.values(CALLS, call_id)
    assert {event["version"] for event in opened} == {2}


async def test_v1_v3_v2_leave_v3_when_graph_serves_them_so(installation: Installation) -> None:
    """Graph that falls back to a replica of yesterday changes neither the row nor what a consumer keeps."""
    made = await installation.call("smallMeeting")
    tenant, call_id = made["tenantId"], made["callId"]
    await installation.stored(call_id, version=1)
    await installation.graph("POST", f"calls/{tenant}/{call_id}/version", {"version": 3})
    await installation.stored(call_id, version=3)
    asked = len(await installation.requests(call_id))
    await installation.graph("POST", f"calls/{tenant}/{call_id}/version", {"version": 2, "force": True})

    async def older_was_served() -> bool:
        return any(line["version"] == 2 for line in (await installation.requests(call_id))[asked:])

    await eventually(older_was_served, 30)
    await _everything_before_is_stored(installation)
    row = await installation.row(call_id)
    assert row is not None
    assert (row["version"], marks(orjson.loads(row["document"]))) == (3, {"mark-v3"})
    kept = None
    for event in [read_call(each.value or b"") for each in await installation.on(CALLS, call_id)]:
        kept = event if newer(event, kept) else kept
    assert kept is not None
    assert kept.version == 3


async def test_v1_v3_v2_on_the_topic_leave_v3(installation: Installation) -> None:
    """The store keeps the newest of what stands on the topic, and all three as history."""
    made = await installation.call("smallMeeting")
    await installation.stored(made["callId"])
    record = await installation.record(made["callId"])
    call_id, tenant = str(uuid.uuid4()), record["tenantId"]
    for version in (1, 3, 2):
        graph = record["graph"] | {"id": call_id, "version": version, "joinWebUrl": f"https://v{version}.example"}
        one = record | {"callId": call_id, "version": version, "graph": graph}
        await installation.publish(RECORDS, call_key(tenant, call_id), orjson.dumps(one))
    history = "SELECT array_agg(version ORDER BY version) FROM callrecords.call_version WHERE call_id = $1"

    async def all_three() -> bool:
        return await installation.store.fetchval(history, call_id) == [1, 2, 3]

    await eventually(all_three, 30)
    row = await installation.row(call_id)
    assert row is not None
    assert (row["version"], orjson.loads(row["document"])["joinWebUrl"]) == (3, "https://v3.example")


async def test_a_hundred_notifications_in_a_second_cost_two_fetches(installation: Installation) -> None:
    """From the POSTs on: all are accepted, at most two fetches follow, and what rose after the fiftieth is stored."""
    made = await installation.call("peerToPeer", notify=False)
    place = f"calls/{made['tenantId']}/{made['callId']}"
    for number in range(10):
        if number == 5:
            await installation.graph("POST", f"{place}/version", {"notify": False})
        await installation.graph("POST", f"{place}/notify", {"count": 10})
        await asyncio.sleep(0.08)  # the burst's own pace: a hundred in a second
    row = await installation.stored(made["callId"], version=2)

    async def all_accepted() -> list[float] | None:
        answered = (await installation.accepted())[made["callId"]]
        return answered if len(answered) >= 100 else None

    answered = await eventually(all_accepted, 30)
    assert answered is not None
    assert marks(orjson.loads(row["document"])) == {"mark-v2"}
    await _everything_before_is_stored(installation)
    reads = [line for line in await installation.requests(made["callId"]) if line["route"] == "record"]
    # Two seconds apart per call: a burst that a busy machine stretched beyond them may cost one more for each.
    assert len(reads) <= 2 + int((max(answered) - min(answered)) // 2), reads


async def _everything_before_is_stored(installation: Installation) -> None:
    """A later call of the same tenant, thus of the same lane, has come through."""
    made = await installation.call("peerToPeer")
    await installation.stored(made["callId"])
