"""Subscription operations."""

from datetime import UTC, datetime

import orjson
import pytest
from ringback_common.errors import Transient
from ringback_graph.answers import Forbidden, Hostile, Malformed, Refused
from ringback_graph.exchange import Reply
from ringback_graph.subscriptions import (
    Conflict,
    Deleted,
    Gone,
    Hint,
    NewSubscription,
    NotAccepted,
    Subscription,
    Subscriptions,
)
from ringback_graph.tenants import Tenant
from ringback_testing.scripted_graph import ScriptedGraph, reply

ID = "7f105c7d-2dc5-4530-97cd-4e7ae6534c07"
URL = "https://graph.test/v1.0/subscriptions"
ENDS = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
WIRE = {
    "id": ID,
    "resource": "communications/callRecords",
    "changeType": "updated",
    "notificationUrl": "https://ringback.test/n",
    "lifecycleNotificationUrl": None,
    "expirationDateTime": "2026-11-24T12:00:00.0000000Z",
    "applicationId": "app",
}
NEW = NewSubscription(
    "communications/callRecords", "updated", "https://ringback.test/n", "https://ringback.test/l", "k1.state", ENDS
)


async def test_create_sends_what_graph_needs(graph: ScriptedGraph, tenant: Tenant) -> None:
    """One POST with both URLs, clientState, TLS version and expiry; the answer is the subscription."""
    graph.answer = lambda _: reply(201, WIRE)
    made = await Subscriptions(graph.client()).create(tenant, NEW, "trace-1")
    assert isinstance(made, Subscription)
    assert (made.id, made.expires_at, made.raw["applicationId"]) == (ID, ENDS, "app")
    (request,) = graph.requests
    assert (request.method, request.url) == ("POST", URL)
    assert request.headers["client-request-id"] == "trace-1"
    assert orjson.loads(request.body or b"") == {
        "changeType": "updated",
        "resource": "communications/callRecords",
        "notificationUrl": "https://ringback.test/n",
        "lifecycleNotificationUrl": "https://ringback.test/l",
        "clientState": "k1.state",
        "expirationDateTime": "2026-11-24T12:00:00.000000Z",
        "latestSupportedTlsVersion": "v1_2",
    }
    assert "k1.state" not in repr(NEW)
    assert "k1.state" not in repr(request)


@pytest.mark.parametrize(
    ("status", "message", "expected"),
    [
        (409, f"Subscription '{ID.upper()}' already exists.", Conflict(ID)),
        (409, "Already exists.", Conflict(None)),
        (403, "Organisation reached its limit of 100.", NotAccepted(403, "Code", Hint.QUOTA)),
        (403, "Operation: Create; Exception: [Status Code: Forbidden]", Forbidden("Code")),
        (400, "Subscription validation request timed out.", NotAccepted(400, "Code", Hint.VALIDATION)),
        (400, "Bad expirationDateTime.", Refused(400, "Code")),
    ],
)
async def test_a_refused_creation_is_told_apart(
    graph: ScriptedGraph, tenant: Tenant, status: int, message: str, expected: object
) -> None:
    """Conflict, quota, missing consent and a failed handshake ask for different things of an operator."""
    graph.answer = lambda _: reply(status, {"error": {"code": "Code", "message": message}})
    assert await Subscriptions(graph.client()).create(tenant, NEW) == expected


async def test_renewal_is_a_patch(graph: ScriptedGraph, tenant: Tenant) -> None:
    """PATCH with the new expiry only; 404 means gone."""
    graph.answer = lambda _: reply(200, WIRE)
    subscriptions = Subscriptions(graph.client())
    assert isinstance(await subscriptions.renew(tenant, ID, ENDS), Subscription)
    (request,) = graph.requests
    assert (request.method, request.url) == ("PATCH", f"{URL}/{ID}")
    assert orjson.loads(request.body or b"") == {"expirationDateTime": "2026-11-24T12:00:00.000000Z"}
    graph.answer = lambda _: reply(404, {})
    assert await subscriptions.renew(tenant, ID, ENDS) == Gone()
    graph.answer = lambda _: reply(200, ["x"])
    assert await subscriptions.renew(tenant, ID, ENDS) == Malformed("subscription")


async def test_a_200_that_is_not_json_may_pass(graph: ScriptedGraph, tenant: Tenant) -> None:
    """A maintenance page is no subscription and no empty list; a page that was cut off is no subscription either."""
    graph.answer = lambda _: Reply(200, {"Content-Type": "text/html"}, b"<html></html>")
    subscriptions = Subscriptions(graph.client())
    for operation in (subscriptions.list(tenant), subscriptions.create(tenant, NEW)):
        with pytest.raises(Transient):
            await operation
    graph.answer = lambda _: Reply(200, {}, None)
    assert await subscriptions.list(tenant) == Malformed("json")


async def test_deletion(graph: ScriptedGraph, tenant: Tenant) -> None:
    """204 is deleted, 404 is gone, an id that is none never reaches a URL."""
    graph.answer = lambda _: reply(204)
    subscriptions = Subscriptions(graph.client())
    assert await subscriptions.delete(tenant, ID) == Deleted()
    graph.answer = lambda _: reply(404, {})
    assert await subscriptions.delete(tenant, ID) == Gone()
    graph.requests.clear()
    assert await subscriptions.delete(tenant, "../users/x") == Gone()
    assert await subscriptions.renew(tenant, "../users/x", ENDS) == Gone()
    assert graph.requests == []
    graph.answer = lambda _: reply(403, {"error": {"code": "Code"}})
    assert await subscriptions.delete(tenant, ID) == Forbidden("Code")


async def test_the_list_is_read_over_all_pages(graph: ScriptedGraph, tenant: Tenant) -> None:
    """Pages are followed within the guard; entries without an id are left out."""
    pages = {
        URL: {"value": [WIRE, {"id": None}], "@odata.nextLink": f"{URL}?$skiptoken=2"},
        f"{URL}?$skiptoken=2": {"value": [WIRE | {"id": "other"}]},
    }
    graph.answer = lambda request: reply(200, pages[request.url])
    found = await Subscriptions(graph.client()).list(tenant)
    assert isinstance(found, list)
    assert [each.id for each in found] == [ID, "other"]


@pytest.mark.parametrize(
    ("link", "expected"),
    [
        ("https://evil.test/v1.0/a", Hostile("origin")),
        (5, Malformed("next_link")),
        (f"{URL}?again", Malformed("next_link")),
    ],
)
async def test_a_list_that_leads_elsewhere_or_in_circles_ends(
    graph: ScriptedGraph, tenant: Tenant, link: object, expected: object
) -> None:
    """Foreign, malformed and endless next links are answers."""
    graph.answer = lambda _: reply(200, {"value": [], "@odata.nextLink": link})
    assert await Subscriptions(graph.client()).list(tenant) == expected


@pytest.mark.parametrize("body", [{"error": {"code": "UnknownError"}}, {"value": None}, {"value": {}}])
async def test_a_200_without_a_list_is_no_empty_list(graph: ScriptedGraph, tenant: Tenant, body: object) -> None:
    """Taken for empty it would make the keeper subscribe beside the subscription that it did not see."""
    graph.answer = lambda _: reply(200, body)
    assert await Subscriptions(graph.client()).list(tenant) == Malformed("value")


async def test_a_refused_list(graph: ScriptedGraph, tenant: Tenant) -> None:
    """A 403 is data, and is not an empty list."""
    graph.answer = lambda _: reply(403, {"error": {"code": "Authorization_RequestDenied"}})
    assert await Subscriptions(graph.client()).list(tenant) == Forbidden("Authorization_RequestDenied")
