"""Odd things in and beside notifications: what is genuine is still there, and the ledger says what was odd."""

import json
import random
from collections.abc import AsyncIterator

import pytest
from aiohttp import web
from ringback_graph_simulator.oddities import KINDS, PASSING, odd_alone, odd_body

from .conftest import Lab

VALUE = [{"clientState": "s", "resourceData": {"id": name}} for name in ("one", "two")]
WHOLE = sorted(KINDS.keys() - PASSING)


@pytest.mark.parametrize("kind", WHOLE)
def test_javascript_reads_the_genuine_items_of_what_is_whole(kind: str) -> None:
    """Python's parser, given the encoding, reads half a pair as JavaScript does."""
    data = odd_body(kind, VALUE, random.Random(1))
    text = data.decode(json.detect_encoding(data))
    assert {"one", "two"} <= {item["resourceData"]["id"] for item in json.loads(text)["value"]}


@pytest.mark.parametrize("kind", sorted(PASSING))
def test_what_a_gateway_spoils_is_no_json(kind: str) -> None:
    """But both items stand in it."""
    data = odd_body(kind, VALUE, random.Random(1))
    assert all(name in data for name in (b'"one"', b'"two"'))
    with pytest.raises(ValueError, match="Expecting"):
        json.loads(data)


def test_an_odd_item_alone_is_for_no_call() -> None:
    """It carries the clientState of a genuine one; its call is half a surrogate pair."""
    (item,) = json.loads(odd_alone(VALUE))["value"]
    assert (item["clientState"], item["resourceData"]["id"]) == ("s", "\ud83d")


@pytest.fixture
async def bodies(lab: Lab) -> AsyncIterator[list[bytes]]:
    """What an endpoint of its own is sent; it refuses what Python's parser does not read."""
    sent: list[bytes] = []

    async def receive(request: web.Request) -> web.Response:
        if "validationToken" in request.query:
            return web.Response(text=request.query["validationToken"])
        sent.append(await request.read())
        try:
            json.loads(sent[-1])
        except ValueError:
            return web.Response(status=503)
        return web.Response(status=202)

    app = web.Application()
    app.router.add_post("/{tail:.*}", receive)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    lab.endpoint.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield sent
    await runner.cleanup()


async def test_every_kind_is_sent_and_what_cannot_be_decoded_comes_again_in_order(
    lab: Lab, bodies: list[bytes]
) -> None:
    """The ledger names the kind of each attempt; an odd item alone goes before its POST; every item is accepted."""
    await lab.subscribe()
    await lab.control("PATCH", "delivery", {"odd": 1.0, "keepAlive": False})
    await lab.call(copies=200, shape="peerToPeer")
    state = await lab.idle()
    assert state["items"]["accepted"] == 200
    posts = await lab.ledger("post")
    assert {post["odd"] for post in posts if post["attempt"] == 1} == set(KINDS)
    assert {post["odd"] for post in posts if post["attempt"] > 1} == {None}
    alone = await lab.ledger("oddPost")
    assert len(alone) == sum(post["odd"] == "alone" for post in posts)
    assert len(bodies) == len(posts) + len(alone)


async def test_nothing_is_odd_unless_ordered(lab: Lab) -> None:
    """Every other test relies on it."""
    await lab.subscribe()
    await lab.call(copies=50, shape="peerToPeer")
    await lab.idle()
    assert {post["odd"] for post in await lab.ledger("post")} == {None}
