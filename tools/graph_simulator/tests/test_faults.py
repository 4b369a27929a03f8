"""Faults on demand, each as a client meets it."""

import json
import time
from email.utils import parsedate_to_datetime
from typing import Any

import aiohttp
import pytest

from .conftest import BOTH, PARTICIPANTS, SESSIONS, TENANT, Lab

_OTHER = "22222222-474c-4d40-900c-6265431fd81f"


async def _plan(lab: Lab, **body: Any) -> str:
    return (await lab.control("POST", "faults", body))["id"]


async def _get(lab: Lab, call: dict[str, Any]) -> aiohttp.ClientResponse:
    return await lab.graph("GET", f"communications/callRecords/{call['callId']}{SESSIONS}")


@pytest.mark.parametrize(("status", "code"), [(403, "Forbidden"), (401, "Unauthorized"), (500, "Boom"), (504, "Slow")])
async def test_a_status_as_often_as_ordered(lab: Lab, status: int, code: str) -> None:
    """Twice the status in Graph's error form, then the record."""
    call = await lab.call()
    await _plan(lab, effect="status", status=status, code=code, count=2, route="record")
    answers = [await _get(lab, call) for _ in range(3)]
    assert [answer.status for answer in answers] == [status, status, 200]
    error = (await answers[0].json())["error"]
    assert error["code"] == code
    assert error["innerError"]["request-id"] == answers[0].headers["request-id"]


async def test_a_stale_version_is_the_one_before_whole_and_still_notified_of_the_new_one(lab: Lab) -> None:
    """A replica lags: record and version check are of version 1, as often as ordered; a first version is itself."""
    call = await lab.call()
    await _plan(lab, effect="staleVersion", count=3, route="records")
    assert (await (await _get(lab, call)).json())["version"] == 1
    await lab.control("POST", f"calls/{TENANT}/{call['callId']}/version", {})
    first = await (await _get(lab, call)).json()
    check = await lab.graph("GET", f"communications/callRecords/{call['callId']}?$select=id,version")
    now = await (await _get(lab, call)).json()
    assert [first["version"], (await check.json())["version"], now["version"]] == [1, 1, 2]
    assert first["lastModifiedDateTime"] < now["lastModifiedDateTime"]


async def test_a_throttle_names_the_wait_and_pauses_the_tenant(lab: Lab) -> None:
    """429 with Retry-After as given, a date included; the ledger shows the fault that did it."""
    call = await lab.call()
    fault = await _plan(lab, effect="throttle", retryAfter=7, count=1, tenantId=TENANT)
    answer = await _get(lab, call)
    assert (answer.status, answer.headers["Retry-After"]) == (429, "7")
    await _plan(lab, effect="throttle", retryAfter="Wed, 21 Oct 2099 07:28:00 GMT", count=1)
    assert (await _get(lab, call)).headers["Retry-After"].startswith("Wed")
    first = (await lab.ledger("request"))[0]
    assert (first["fault"], first["retryAfter"]) == (fault, "7")


async def test_a_throttled_subscription_service_knows_who_did_not_wait(lab: Lab) -> None:
    """Retry-After of /subscriptions is held against a client like any other."""
    await _plan(lab, effect="throttle", retryAfter=60, count=1, route="subscriptions")
    assert (await lab.graph("GET", "subscriptions")).status == 429

    async def impolite() -> bool:
        await lab.get("subscriptions")
        return (await lab.ledger("request"))[-1]["insideRetryAfter"]

    await lab.until(impolite)


async def test_a_wait_told_as_a_date_counts_from_the_answer(lab: Lab) -> None:
    """Retry-After as an HTTP date that many seconds ahead, for Graph and for the authority."""
    call = await lab.call()
    await _plan(lab, effect="throttle", retryAfter=60, retryAfterAsDate=True, count=1)
    reported = parsedate_to_datetime((await _get(lab, call)).headers["Retry-After"]).timestamp()
    assert time.time() + 55 < reported <= time.time() + 60


async def test_a_refusal_with_a_claims_challenge(lab: Lab) -> None:
    """401 with the header that the order named."""
    call = await lab.call()
    challenge = 'Bearer error="insufficient_claims", claims="eyJh"'
    await _plan(lab, effect="status", status=401, count=1, headers={"WWW-Authenticate": challenge})
    answer = await _get(lab, call)
    assert (answer.status, answer.headers["WWW-Authenticate"]) == (401, challenge)


async def test_an_answer_held_back_is_stale_when_it_arrives(lab: Lab) -> None:
    """The version rises while the answer with the older one is on its way."""
    call = await lab.call()
    await _plan(lab, effect="versionRise", route="record", holdSeconds=0.3, count=1)
    begun = time.monotonic()
    stale = await (await _get(lab, call)).json()
    assert time.monotonic() - begun >= 0.3
    assert (stale["version"], (await (await _get(lab, call)).json())["version"]) == (1, 2)


async def test_latency_is_no_fault(lab: Lab) -> None:
    """Every answer takes as long as ordered, and the ledger shows no fault for it."""
    call = await lab.call()
    await lab.control("PATCH", "graph", {"latencySeconds": 0.2})
    assert (await _get(lab, call)).status == 200
    (line,) = [line for line in await lab.ledger("request") if line["route"] == "record"]
    assert line["end"] - line["at"] >= 0.19
    assert line["fault"] is None


async def test_a_fault_stays_in_its_scope(lab: Lab) -> None:
    """Another tenant, another call, another route and another page are left alone."""
    sick, well = await lab.call(sessions=70, shape="meeting"), await lab.call()
    await _plan(lab, effect="status", tenantId=_OTHER)
    await _plan(lab, effect="status", callId=sick["callId"], route="sessions", page=2, status=502)
    assert (await _get(lab, well)).status == 200
    first = await _get(lab, sick)
    assert first.status == 200
    assert (await lab.graph("GET", (await first.json())["sessions@odata.nextLink"])).status == 502


async def test_malformed_truncated_and_foreign(lab: Lab) -> None:
    """No JSON, half a body, and a next link that leads to a stranger."""
    call = await lab.call(sessions=70, shape="meeting")
    await _plan(lab, effect="malformed", count=1)
    with pytest.raises(ValueError, match="utf-8"):
        await (await _get(lab, call)).json(content_type=None)
    await _plan(lab, effect="truncated", count=1)
    with pytest.raises(aiohttp.ClientError):
        await (await _get(lab, call)).read()
    await _plan(lab, effect="foreignNextLink", count=1)
    body = await (await _get(lab, call)).json()
    assert body["sessions@odata.nextLink"].startswith("https://graph.attacker.example/v1.0/")


async def test_a_200_of_another_s_making_and_one_of_the_wrong_shape(lab: Lab) -> None:
    """A maintenance page says 200 and is no JSON; the wrong shape is JSON and no record."""
    call = await lab.call()
    await _plan(lab, effect="htmlPage", count=1)
    page = await _get(lab, call)
    assert (page.status, page.content_type) == (200, "text/html")
    await _plan(lab, effect="wrongShape", count=1)
    assert await (await _get(lab, call)).json() == ["no object"]


async def test_redirect_delay_and_oversize(lab: Lab) -> None:
    """A redirect to a stranger, a late answer, and a body that goes on and on."""
    call = await lab.call()
    await _plan(lab, effect="redirect", count=1)
    answer = await lab.graph("GET", f"communications/callRecords/{call['callId']}", allow_redirects=False)
    assert (answer.status, answer.headers["Location"]) == (302, "https://graph.attacker.example")
    await _plan(lab, effect="delay", seconds=0.3, count=1)
    await _get(lab, call)
    assert (await lab.ledger("request"))[-1]["end"] - (await lab.ledger("request"))[-1]["at"] >= 0.3
    await _plan(lab, effect="oversize", count=1)
    endless = await _get(lab, call)
    assert len(await endless.content.readexactly(20 << 20)) == 20 << 20
    endless.close()


async def test_a_hang_is_no_answer_and_is_in_the_ledger(lab: Lab) -> None:
    """The client's own timeout must end it; the request is noted with no status."""
    call = await lab.call()
    await _plan(lab, effect="hang", count=1)
    with pytest.raises(TimeoutError):
        await lab.graph("GET", f"communications/callRecords/{call['callId']}", timeout=aiohttp.ClientTimeout(total=0.2))
    assert [line["status"] for line in await lab.ledger("request")] == [None]


async def test_faults_end_by_time_by_order_and_by_chance(lab: Lab) -> None:
    """A duration that has passed, a removal, and a probability of zero leave requests alone."""
    call = await lab.call()
    await _plan(lab, effect="status", durationSeconds=0)
    await _plan(lab, effect="status", probability=0)
    removed = await _plan(lab, effect="status")
    await lab.control("DELETE", f"faults/{removed}")
    assert (await _get(lab, call)).status == 200
    await lab.control("DELETE", "faults/f99", status=404)
    await lab.control("POST", "faults", {"effect": "earthquake"}, status=400)


async def test_the_token_endpoint_can_fail_too(lab: Lab) -> None:
    """A 429 from the authority has a Retry-After."""
    await _plan(lab, effect="throttle", route="token", retryAfter=1, count=1)
    refused = await lab.token()
    assert (refused.status, refused.headers["Retry-After"]) == (429, "1")
    assert (await lab.token()).status == 200


async def test_the_ledger_shows_who_does_not_wait_for_the_authority(lab: Lab) -> None:
    """A token request inside its Retry-After is held against the client; one of another tenant is not."""
    await _plan(lab, effect="throttle", route="token", retryAfter=60, count=1, tenantId=TENANT)
    assert (await lab.token()).status == 429

    async def impolite() -> bool:
        await lab.token(_OTHER)
        await lab.token()
        return (await lab.ledger("token"))[-1]["insideRetryAfter"]

    await lab.until(impolite)
    lines = await lab.ledger("token")
    assert {line["tenantId"] for line in lines if line["insideRetryAfter"]} == {TENANT}
    assert (await lab.control("GET", "state"))["requests"]["insideRetryAfter"] == 1


async def test_two_relationships_in_one_expand_are_refused_unless_a_tenant_is_said_to_allow_them(lab: Lab) -> None:
    """Sessions alone and participants alone are served, both at once are a 400."""
    call = await lab.call()
    path = f"communications/callRecords/{call['callId']}"
    assert (await lab.graph("GET", f"{path}{BOTH}")).status == 400
    assert "sessions" in await lab.record(call["callId"], SESSIONS)
    assert "participants_v2" in await lab.record(call["callId"], PARTICIPANTS)
    await lab.as_tenant(refuseDoubleExpand=False)
    both = await lab.record(call["callId"], BOTH)
    assert {"sessions", "participants_v2"} <= both.keys()


async def test_a_tenant_may_be_without_participants_v2(lab: Lab) -> None:
    """400 on the expand and 404 on the page, as in a cloud without it; sessions are served."""
    await lab.as_tenant(participantsV2=False)
    call = await lab.call()
    path = f"communications/callRecords/{call['callId']}"
    assert "sessions" in await lab.record(call["callId"], SESSIONS)
    refused = await lab.graph("GET", f"{path}{PARTICIPANTS}")
    assert (refused.status, (await refused.json())["error"]["code"]) == (400, "BadRequest")
    assert (await lab.graph("GET", f"{path}/participants_v2")).status == 404


async def test_the_request_for_participants_is_their_first_page(lab: Lab) -> None:
    """Faults and the ledger tell it from the one for sessions, and from the check of the version."""
    call = await lab.call()
    await _plan(lab, effect="status", status=502, count=1, route="participants", page=1)
    assert (await _get(lab, call)).status == 200
    path = f"communications/callRecords/{call['callId']}"
    assert (await lab.graph("GET", f"{path}{PARTICIPANTS}")).status == 502
    for query in (PARTICIPANTS, "/participants_v2", "?$select=id,version"):
        assert (await lab.graph("GET", f"{path}{query}")).status == 200
    reported = [(line["route"], line["page"]) for line in await lab.ledger("request")]
    assert reported == [("record", 1), *[("participants", 1)] * 3, ("versionCheck", 1)]


async def test_a_next_link_as_microsoft_s_sample_prints_it(lab: Lab) -> None:
    """The metadata's path in the place of the record's, with the token that the record's own page takes."""
    call = await lab.call(sessions=70, shape="meeting")
    await _plan(lab, effect="sampleNextLink", count=1, route="record")
    link = (await (await _get(lab, call)).json())["sessions@odata.nextLink"]
    start, _, rest = link.partition("#communications/callRecords(")
    assert start == f"{lab.ready['graphUrl']}/v1.0/$metadata"
    page = await lab.get(f"communications/callRecords({rest}")
    assert len(page["value"]) == 10


async def test_a_record_may_come_without_its_sessions(lab: Lab) -> None:
    """As often as ordered the list is empty, then it is there; nothing says that more would follow."""
    call = await lab.call(shape="meeting", sessions=70)
    await _plan(lab, effect="noSessions", count=2, route="record")
    bodies = [await (await _get(lab, call)).json() for _ in range(3)]
    assert [len(body["sessions"]) for body in bodies] == [0, 0, 60]
    assert ["sessions@odata.nextLink" in body for body in bodies] == [False, False, True]


async def test_what_is_expected_says_the_kind_of_call(lab: Lab) -> None:
    """As its record says it: a judge asks of group calls alone whether every participant is there."""
    for shape in ("peerToPeer", "meeting"):
        call = await lab.call(shape=shape)
        reported = (await lab.record(call["callId"]))["type"]
        assert (await lab.control("GET", f"calls/{TENANT}/{call['callId']}"))["type"] == reported


async def test_half_a_surrogate_pair_stands_in_a_record(lab: Lab) -> None:
    """JavaScript's parser reads it, the sessions are as ever."""
    call = await lab.call()
    whole = await (await _get(lab, call)).json()
    await _plan(lab, effect="halfPair", route="record", count=1)
    body = await (await _get(lab, call)).read()
    assert b"\\ud83d" in body
    assert json.loads(body) == {**whole, "note": "\ud83d"}
