"""Subscriptions: the handshake, what is refused, how they end."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from .conftest import TENANT, Endpoint, Lab


def _in(**span: float) -> str:
    return (datetime.now(UTC) + timedelta(**span)).isoformat()


async def test_both_endpoints_are_validated_and_the_query_is_kept(lab: Lab, endpoint: Endpoint) -> None:
    """One handshake for each URL; our own query parameters stand before the token."""
    made = await lab.subscribe()
    assert [url.split("?")[0] for url in endpoint.handshakes] == ["/notify", "/lifecycle"]
    assert endpoint.handshakes[0].startswith("/notify?kid=1&t=a%20b&validationToken=")
    assert made["notificationUrl"].endswith("/notify?kid=1&t=a%20b")
    assert made["clientState"] is None
    assert "validationToken=Validation%3A+Testing+client" in endpoint.handshakes[0]


async def test_equal_urls_are_validated_twice(lab: Lab, endpoint: Endpoint) -> None:
    """Graph asks twice even if both URLs are one."""
    await lab.subscribe(lifecycleNotificationUrl=f"{endpoint.url}/notify?kid=1&t=a%20b")
    assert len(endpoint.handshakes) == 2


async def test_an_endpoint_that_does_not_echo_gets_no_subscription(lab: Lab, endpoint: Endpoint) -> None:
    """400 with Graph's sentence, and nothing is listed."""
    endpoint.echo = False
    refused = await lab.subscribe(status=400)
    assert refused["error"]["code"] == "InvalidRequest"
    assert "validation request failed" in refused["error"]["message"]
    assert (await lab.get("subscriptions"))["value"] == []


async def test_an_endpoint_that_has_moved_gets_no_subscription(lab: Lab, endpoint: Endpoint) -> None:
    """A redirect is no echo; it is not followed."""
    endpoint.moved = True
    refused = await lab.subscribe(status=400)
    assert "HTTP status code is 'TemporaryRedirect'" in refused["error"]["message"]
    assert len(endpoint.handshakes) == 1


async def test_an_endpoint_that_is_away_gets_no_subscription(lab: Lab) -> None:
    """A refused connection is a 400, not an error of the simulator."""
    refused = await lab.subscribe(status=400, notificationUrl="http://127.0.0.1:9/notify")
    assert "validation request failed" in refused["error"]["message"]


@pytest.mark.parametrize("http_hosts", [("127.0.0.2",)])
async def test_plain_http_is_for_loopback_and_for_the_hosts_that_were_permitted(lab: Lab) -> None:
    """A permitted host is called, where nobody listens; another one and a mere part of the name are refused."""
    called = await lab.subscribe(status=400, notificationUrl="http://127.0.0.2:9/notify")
    assert "validation request failed" in called["error"]["message"]
    for other in ("http://127.0.0.3:9/notify", "http://127.0.0.2.example.org/notify"):
        refused = await lab.subscribe(status=400, notificationUrl=other)
        assert refused["error"]["message"] == "notificationUrl must use https."


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"resource": "users"}, "users"),
        ({"changeType": "deleted"}, "changeType"),
        ({"notificationUrl": "http://example.org/x"}, "https"),
        ({"notificationUrl": None}, "notificationUrl"),
        ({"lifecycleNotificationUrl": None}, "lifecycleNotificationUrl"),
        ({"expirationDateTime": "soon"}, "expirationDateTime"),
        ({"expirationDateTime": _in(hours=-1)}, "future"),
        ({"expirationDateTime": _in(hours=71)}, "4230"),
        ({"includeResourceData": True}, "Resource data"),
        ({"clientState": "x" * 256}, "255"),
        ({"latestSupportedTlsVersion": "v0_9"}, "Tls"),
    ],
)
async def test_a_bad_request_is_refused_with_a_sentence(lab: Lab, changes: dict[str, Any], word: str) -> None:
    """Each rule of the subscription service has a 400 that names it."""
    assert word in (await lab.subscribe(status=400, **changes))["error"]["message"]


async def test_a_duplicate_is_refused_and_names_the_first(lab: Lab) -> None:
    """409, with the id of the one that exists; another change type is another subscription."""
    first = await lab.subscribe()
    assert first["id"] in (await lab.subscribe(status=409))["error"]["message"]
    assert (await lab.subscribe(changeType="created,updated"))["id"] != first["id"]


FILTER = "communications/callRecords?$filter=participants/any(p:p/id {})"


@pytest.mark.parametrize(
    "form", ["eq '{0}'", "eq 'x' or p/id eq '{0}'", "in ('x', '{0}')"], ids=["one", "either", "among several"]
)
async def test_a_filtered_subscription_is_another_resource(lab: Lab, endpoint: Endpoint, form: str) -> None:
    """It stands beside the one of all calls, is a duplicate of itself, and is notified of its participants only."""
    everything = await lab.subscribe()
    call = await lab.call(shape="peerToPeer")
    wanted = (await lab.record(call["callId"], "?$expand=participants_v2"))["participants_v2"][0]["id"]
    filtered = await lab.subscribe(resource=FILTER.format(form.format(wanted)))
    assert filtered["resource"] == FILTER.format(form.format(wanted))
    assert filtered["id"] in (await lab.subscribe(status=409, resource=filtered["resource"]))["error"]["message"]
    assert len((await lab.get("subscriptions"))["value"]) == 2
    await lab.idle()
    endpoint.posts.clear()
    await lab.call(shape="peerToPeer")
    await lab.control("POST", f"calls/{TENANT}/{call['callId']}/notify", {})
    await lab.idle()
    calls = [(item["subscriptionId"], item["resourceData"]["id"]) for item in endpoint.items]
    assert [found for subscription, found in calls if subscription == filtered["id"]] == [call["callId"]]
    assert len([found for subscription, found in calls if subscription == everything["id"]]) == 2


@pytest.mark.parametrize(
    "query", ["$filter=participants/any(p:p/id ne 'x')", "$filter=id eq 'x'", "$filter=participants/any(p:p/id eq '')"]
)
async def test_other_filters_are_refused(lab: Lab, query: str) -> None:
    """Graph's notifications of call records know a filter by participant alone."""
    refused = await lab.subscribe(status=400, resource=f"communications/callRecords?{query}")
    assert "not supported" in refused["error"]["message"]


async def test_another_app_s_subscription_cannot_be_touched(lab: Lab) -> None:
    """An app sees, renews and deletes its own only."""
    path = f"subscriptions/{(await lab.subscribe())['id']}"
    other = "22222222-474c-4d40-900c-6265431fd81f"
    await lab.control("POST", "tenants", {"tenants": [{"tenantId": TENANT, "clientId": other, "clientSecret": "x"}]})
    token = (await (await lab.token(client_id=other, client_secret="x")).json())["access_token"]
    for method in ("GET", "PATCH", "DELETE"):
        headers = {"Authorization": f"Bearer {token}"}
        assert (await lab.graph(method, path, headers=headers, json={})).status == 404
    assert (await lab.get("subscriptions"))["value"]


async def test_a_short_life_is_raised_to_45_minutes(lab: Lab) -> None:
    """What Graph grants is in the answer."""
    made = await lab.subscribe(expirationDateTime=_in(minutes=5))
    left = datetime.fromisoformat(made["expirationDateTime"]) - datetime.now(UTC)
    assert timedelta(minutes=44) < left <= timedelta(minutes=45)


async def test_patch_renews_and_other_members_are_refused(lab: Lab) -> None:
    """PATCH moves the expiry; the lifecycle URL can only be set at creation."""
    made, later = await lab.subscribe(), _in(hours=60)
    answer = await lab.graph("PATCH", f"subscriptions/{made['id']}", json={"expirationDateTime": later})
    renewed = datetime.fromisoformat((await answer.json())["expirationDateTime"])
    assert abs(renewed - datetime.fromisoformat(later)) < timedelta(seconds=1)
    refused = await lab.graph("PATCH", f"subscriptions/{made['id']}", json={"lifecycleNotificationUrl": "https://x.y"})
    assert refused.status == 400


async def test_delete_and_reauthorize(lab: Lab) -> None:
    """Reauthorise changes no expiry; what was deleted is 404. The ledger says what was made, and what deleted."""
    made = await lab.subscribe()
    path = f"subscriptions/{made['id']}"
    before = (await lab.get(path))["expirationDateTime"]
    assert (await lab.graph("POST", f"{path}/reauthorize")).status == 202
    assert (await lab.get(path))["expirationDateTime"] == before
    assert (await lab.graph("DELETE", path)).status == 204
    assert (await lab.graph("GET", path)).status == 404
    lines = await lab.ledger("subscription")
    assert [line["event"] for line in lines] == ["created", "reauthorized", "deleted"]
    for line in lines:
        assert (line["resource"], line["notificationUrl"]) == (made["resource"], made["notificationUrl"])


@pytest.mark.parametrize("time_scale", [3000.0])
async def test_an_unrenewed_subscription_warns_and_goes(lab: Lab, endpoint: Endpoint) -> None:
    """45 minutes at 3,000 times are 0.9 s: reauthorizationRequired comes first, then the subscription is gone."""
    made = await lab.subscribe(expirationDateTime=_in(minutes=45))

    async def gone() -> bool:
        return (await lab.graph("GET", f"subscriptions/{made['id']}")).status == 404

    await lab.until(gone)
    events = [line["event"] for line in await lab.ledger("subscription")]
    assert events[0] == "created"
    assert events[-1] == "expired"
    warnings = [item for item in endpoint.items if item.get("lifecycleEvent") == "reauthorizationRequired"]
    assert warnings
    assert "changeType" not in warnings[0]


@pytest.mark.parametrize("time_scale", [3000.0])
async def test_a_renewed_subscription_outlives_its_first_expiry(lab: Lab) -> None:
    """The first expiry no longer counts once PATCH has moved it."""
    made = await lab.subscribe(expirationDateTime=_in(minutes=45))
    await lab.graph("PATCH", f"subscriptions/{made['id']}", json={"expirationDateTime": _in(hours=70)})
    await lab.until(lambda: _lifecycle_seconds(made) > 1.2)
    assert (await lab.graph("GET", f"subscriptions/{made['id']}")).status == 200


def _lifecycle_seconds(made: dict[str, Any]) -> float:
    created = datetime.fromisoformat(made["expirationDateTime"]) - timedelta(minutes=45)
    return (datetime.now(UTC) - created).total_seconds()


async def test_graph_can_lose_one_and_say_so_or_not(lab: Lab, endpoint: Endpoint) -> None:
    """A silent removal says nothing; subscriptionRemoved comes at the lifecycle URL."""
    first = await lab.subscribe()
    await lab.control("DELETE", f"subscriptions/{first['id']}")
    second = await lab.subscribe()
    await lab.control("POST", f"subscriptions/{second['id']}/lifecycle", {"event": "subscriptionRemoved"})
    await lab.until(lambda: endpoint.posts)
    assert endpoint.posts[0]["path"] == "/lifecycle"
    assert [item["subscriptionId"] for item in endpoint.items] == [second["id"]]
    assert (await lab.get("subscriptions"))["value"] == []
