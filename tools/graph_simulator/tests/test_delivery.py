"""Delivery: envelopes, retries, deadlines, what the ledger says of them."""

from itertools import pairwise

import pytest
from ringback_graph_simulator.endpoint_health import EndpointHealth

from .conftest import CLIENT, TENANT, Endpoint, Lab


async def test_an_item_is_as_graph_sends_it(lab: Lab, endpoint: Endpoint) -> None:
    """Required members, our clientState, the resource without a leading slash, no version, no etag."""
    subscription, call = await lab.subscribe(), await lab.call()
    await lab.idle()
    (item,) = endpoint.items
    resource = f"communications/callRecords/{call['callId']}"
    assert endpoint.posts[0]["path"] == "/notify?kid=1&t=a%20b"
    assert item.items() >= {"clientState": "state", "changeType": "updated", "resource": resource}.items()
    assert (item["subscriptionId"], item["tenantId"]) == (subscription["id"], TENANT)
    assert item["resourceData"].keys() == {"@odata.type", "@odata.id", "id"}
    assert item["resourceData"]["@odata.type"].lower() == "#microsoft.graph.callrecord"


async def test_variants_of_the_envelope_all_occur(lab: Lab, endpoint: Endpoint) -> None:
    """Casing of the type, both forms of the expiry, items in batches and alone."""
    await lab.subscribe()
    await lab.call(copies=300, shape="peerToPeer")
    await lab.idle()
    items = endpoint.items
    assert len({item["resourceData"]["@odata.type"] for item in items}) == 3
    assert {item["subscriptionExpirationDateTime"][-1] for item in items} == {"Z", "0"}
    sizes = {len(post["value"]) for post in endpoint.posts}
    assert 1 in sizes
    assert 1 < max(sizes) <= 10


async def test_tenants_of_one_url_share_posts_unless_told_not_to(lab: Lab, endpoint: Endpoint) -> None:
    """On one URL a POST may hold items of several tenants; with shareUrl off it never does."""
    other = {"tenantId": "22222222-474c-4d40-900c-6265431fd81f", "clientId": CLIENT, "clientSecret": "open sesame"}
    await lab.control("POST", "tenants", {"tenants": [other]})
    await lab.subscribe()
    token = (await (await lab.token(tenant=other["tenantId"])).json())["access_token"]
    lab.headers = {"Authorization": f"Bearer {token}"}
    await lab.subscribe()
    for shared in (True, False):
        endpoint.posts.clear()
        await lab.control("PATCH", "delivery", {"paused": True, "shareUrl": shared})
        for _ in range(40):
            await lab.call(shape="peerToPeer")
            await lab.call(shape="peerToPeer", tenantId=other["tenantId"])
        await lab.control("PATCH", "delivery", {"paused": False})
        await lab.idle()
        tenants = [{item["tenantId"] for item in post["value"]} for post in endpoint.posts]
        assert any(len(both) == 2 for both in tenants) is shared
        assert len(endpoint.items) == 80


async def test_created_comes_once_and_only_if_asked_for(lab: Lab, endpoint: Endpoint) -> None:
    """`created` is the first sight of a record by that subscription; then `updated`."""
    await lab.subscribe(changeType="created,updated")
    call = await lab.call()
    await lab.idle()
    await lab.control("POST", f"calls/{TENANT}/{call['callId']}/version", {})
    await lab.idle()
    assert [item["changeType"] for item in endpoint.items] == ["created", "updated"]


async def test_a_refused_post_comes_again_until_it_is_taken(lab: Lab, endpoint: Endpoint) -> None:
    """Two 503s, then 202: three attempts of one POST with growing pauses, one accepted item."""
    endpoint.answer = lambda number: 503 if number < 3 else 202
    await lab.subscribe()
    call = await lab.call()
    state = await lab.idle()
    attempts = await lab.ledger("post")
    assert [line["status"] for line in attempts] == [503, 503, 202]
    assert len({line["postId"] for line in attempts}) == 1
    pauses = [later["at"] - sooner["end"] for sooner, later in pairwise(attempts)]
    assert 0.1 <= pauses[0] < pauses[1]
    assert state["items"]["accepted"] == 1
    entry = await lab.control("GET", f"calls/{TENANT}/{call['callId']}")
    assert (entry["notified"], entry["accepted"]) == (1, {"1": 1})


@pytest.mark.parametrize("time_scale", [100_000.0])
async def test_what_is_never_taken_is_given_up_after_four_hours(lab: Lab, endpoint: Endpoint) -> None:
    """Nothing is accepted, the ledger says gaveUp, and nothing is pending any more."""
    endpoint.answer = lambda _: 400
    await lab.subscribe(lifecycleNotificationUrl=f"{endpoint.url}/lifecycle")
    await lab.call()
    state = await lab.idle()
    assert state["items"]["givenUp"] == 1
    assert state["items"]["accepted"] == 0
    assert len(await lab.ledger("gaveUp")) == 1


async def test_an_answer_after_three_seconds_is_no_answer(lab: Lab, endpoint: Endpoint) -> None:
    """The first attempt ends at 3 s whatever the time scale; the repeat is accepted."""
    await lab.subscribe()
    endpoint.hung = 1
    await lab.call()
    await lab.idle()
    first, second = await lab.ledger("post")
    assert (first["status"], first["error"]) == (None, "timeout")
    assert 2.9 < first["end"] - first["at"] < 4
    assert second["status"] == 202


async def test_the_version_at_receipt_is_in_the_reckoning(lab: Lab) -> None:
    """Accepted items are counted by the version Graph held when their POST left."""
    await lab.subscribe()
    call = await lab.call()
    await lab.idle()
    place = f"calls/{TENANT}/{call['callId']}"
    await lab.control("POST", f"{place}/version", {"version": 3})
    await lab.idle()
    await lab.control("POST", f"{place}/notify", {"count": 4})
    await lab.idle()
    assert (await lab.control("GET", place))["accepted"] == {"1": 1, "3": 5}


async def test_forged_items_count_as_planted_drops(lab: Lab, endpoint: Endpoint) -> None:
    """A forged clientState is sent, and never counts as accepted of that call."""
    await lab.subscribe()
    call = await lab.call(notify=False)
    place = f"calls/{TENANT}/{call['callId']}"
    await lab.control("POST", f"{place}/notify", {"count": 3, "clientState": "1.forged", "inOneRequest": True})
    await lab.idle()
    entry = await lab.control("GET", place)
    assert (entry["accepted"], entry["plantedDrops"]) == ({}, 3)
    assert [len(post["value"]) for post in endpoint.posts] == [3]
    assert {item["clientState"] for item in endpoint.items} == {"1.forged"}


async def test_pause_and_duplicates(lab: Lab, endpoint: Endpoint) -> None:
    """Nothing leaves while delivery is paused; with duplicates at 1 every item comes twice."""
    await lab.subscribe()
    await lab.control("PATCH", "delivery", {"paused": True, "duplicates": 1.0})
    await lab.call()
    assert endpoint.posts == []
    await lab.control("PATCH", "delivery", {"paused": False})
    await lab.idle()
    assert len(endpoint.items) == 2
    await lab.control("PATCH", "delivery", {"speed": 1}, status=400)


def test_endpoint_states_follow_the_shares_of_late_answers() -> None:
    """More than 10 % over 3 s is slow, more than 15 % over 10 s drops; both last ten minutes at least."""
    slow = EndpointHealth.at_scale(1)
    for second in range(100):
        slow.answered(second, 3.5 if second % 9 == 0 else 0.01)
    assert slow.judge(100) == "slow"
    assert slow.judge(400) == "slow"
    assert slow.judge(100 + 601) == "normal"
    drop = EndpointHealth.at_scale(60)
    for number in range(100):
        drop.answered(number / 100, 10.0 if number % 6 == 0 else 0.01)
    assert drop.judge(1) == "drop"
    assert drop.judge(12) == "normal"


def test_a_few_answers_do_not_judge_an_endpoint() -> None:
    """One slow answer of three is no state."""
    health = EndpointHealth.at_scale(1)
    for _ in range(3):
        health.answered(0, 5)
    assert health.judge(1) == "normal"
