"""S12: a next link that leads anywhere but on through its own record gets no request, and so no token."""

import uuid
from collections.abc import Callable
from typing import Any

import orjson
import pytest
from ringback_events.topics import INTERNAL_DEAD_LETTERS
from ringback_testing import eventually
from ringback_testing.fetch_rig import Fetching
from ringback_testing.graph_edge import EDGE, TOKEN, GraphEdge, raw_response, record
from ringback_testing.simulated import Simulated
from ringback_testing.token_catcher import TokenCatcher

pytestmark = [pytest.mark.edge, pytest.mark.timeout(300), pytest.mark.asyncio(loop_scope="session")]

OTHER = "0bad0bad-0bad-4bad-8bad-0bad0bad0bad"

HOSTILE: dict[str, str] = {
    "another port": "https://{host}:{catcher}/v1.0/{rest}",
    "no port": "https://{host}/v1.0/{rest}",
    "a port that begins like ours": "https://{host}:{port}0/v1.0/{rest}",
    "the loopback address": "https://127.0.0.1:{catcher}/v1.0/{rest}",
    "our port at the loopback address": "https://127.0.0.1:{port}/v1.0/{rest}",
    "the loopback address in v6": "https://[::1]:{catcher}/v1.0/{rest}",
    "mapped into v6": "https://[::ffff:127.0.0.1]:{catcher}/v1.0/{rest}",
    "as one number": "https://2130706433:{catcher}/v1.0/{rest}",
    "as hex": "https://0x7f000001:{catcher}/v1.0/{rest}",
    "as octal": "https://0177.0.0.1:{catcher}/v1.0/{rest}",
    "short": "https://127.1:{catcher}/v1.0/{rest}",
    "unspecified": "https://0.0.0.0:{catcher}/v1.0/{rest}",
    "the metadata service": "https://169.254.169.254/v1.0/{rest}",
    "the metadata service by name": "https://metadata.google.internal/v1.0/{rest}",
    "a name that rebinds": "https://7f000001.c0a80001.rbndr.us:{catcher}/v1.0/{rest}",
    "a name that is an address": "https://127.0.0.1.nip.io:{catcher}/v1.0/{rest}",
    "a trailing dot": "https://{host}.:{catcher}/v1.0/{rest}",
    "a trailing dot at our port": "https://{host}.:{port}/v1.0/{rest}",
    "a name below ours": "https://a.{host}:{port}/v1.0/{rest}",
    "ours as a prefix": "https://{host}.attacker.example:{port}/v1.0/{rest}",
    "ours as a suffix": "https://attacker{host}:{port}/v1.0/{rest}",
    "Graph itself": "https://graph.microsoft.com/v1.0/{rest}",
    "plain http": "http://{host}:{port}/v1.0/{rest}",
    "plain http to the catcher": "http://{host}:{catcher}/v1.0/{rest}",
    "ftp": "ftp://{host}:{port}/v1.0/{rest}",
    "file": "file:///etc/passwd",
    "data": "data:application/json,%7B%7D",
    "javascript": "javascript:alert(1)",
    "gopher": "gopher://{host}:{catcher}/_GET",
    "no scheme": "//{host}:{catcher}/v1.0/{rest}",
    "no slashes": "https:{host}:{catcher}/v1.0/{rest}",
    "one slash": "https:/{host}:{catcher}/v1.0/{rest}",
    "three slashes": "https:///{host}:{catcher}/v1.0/{rest}",
    "a path alone": "/v1.0/{rest}",
    "a relative path": "sessions?$skiptoken=a",
    "a query alone": "?$skiptoken=a",
    "an OData relative link": "communications/callRecords('{call}')/sessions?$skiptoken=a",
    "ours as a user": "https://{host}@{host}:{catcher}/v1.0/{rest}",
    "ours and our port as user and password": "https://{host}:{port}@{host}:{catcher}/v1.0/{rest}",
    "a user at ours": "https://user@{host}:{port}/v1.0/{rest}",
    "a user and a password at ours": "https://user:word@{host}:{port}/v1.0/{rest}",
    "an escaped at": "https://{host}:{port}%40{host}:{catcher}/v1.0/{rest}",
    "a backslash and an at": "https://{host}:{port}\\@{host}:{catcher}/v1.0/{rest}",
    "a backslash for a slash": "https://{host}:{catcher}\\v1.0\\{rest}",
    "backslashes": "https:\\\\{host}:{catcher}\\v1.0\\{rest}",
    "a fragment and an at": "https://{host}:{port}#@{host}:{catcher}/v1.0/{rest}",
    "a question mark and an at": "https://{host}:{port}?@{host}:{catcher}/v1.0/{rest}",
    "a full-width at": "https://{host}:{port}\uff20{host}:{catcher}/v1.0/{rest}",
    "a full-width slash": "https://{host}:{catcher}\uff0fv1.0/{rest}",
    "an ideographic full stop": "https://{host}\u3002:{catcher}/v1.0/{rest}",
    "a circled letter": "https://\u24dbocalhost:{catcher}/v1.0/{rest}",
    "a Cyrillic letter": "https://l\u043ecalhost:{catcher}/v1.0/{rest}",
    "a zero width space": "https://local\u200bhost:{catcher}/v1.0/{rest}",
    "an escaped host": "https://%6cocalhost:{catcher}/v1.0/{rest}",
    "a tab in the host": "https://local\thost:{catcher}/v1.0/{rest}",
    "a line break in the host": "https://{host}:{port}\r\nHost: {host}:{catcher}/v1.0/{rest}",
    "a header behind the path": "https://{host}:{port}/v1.0/{rest} HTTP/1.1\r\nHost: {host}:{catcher}\r\nX: y",
    "a leading blank": " https://{host}:{catcher}/v1.0/{rest}",
    "a leading NUL": "\0https://{host}:{catcher}/v1.0/{rest}",
    "another version": "https://{host}:{port}/v2.0/{rest}",
    "no version": "https://{host}:{port}/{rest}",
    "out by dots": "https://{host}:{port}/v1.0/../{tenant}/oauth2/v2.0/token",
    "out by escaped dots": "https://{host}:{port}/v1.0/%2e%2e/{tenant}/oauth2/v2.0/token",
    "out by dots and a semicolon": "https://{host}:{port}/v1.0/..;/{tenant}/oauth2/v2.0/token",
    "out by overlong dots": "https://{host}:{port}/v1.0/%c0%ae%c0%ae/token",
    "an escaped slash": "https://{host}:{port}/v1.0/communications%2fcallRecords/{call}/sessions",
    "two slashes": "https://{host}:{port}//v1.0/{rest}",
    "the documentation's own": "https://{host}:{port}/v1.0/$metadata#communications/callRecords('{call}')/sessions",
    "the documentation's own of another host": "https://graph.microsoft.com/v1.0/$metadata#{rest}",
    "the documentation's own of the catcher": "https://{host}:{catcher}/v1.0/$metadata#{rest}",
    "the documentation's own of another record": "https://{host}:{port}/v1.0/$metadata#communications/callRecords('{other}')/sessions?$skiptoken=a",
    "the documentation's own of other lists": "https://{host}:{port}/v1.0/$metadata#communications/callRecords('{call}')/messages?$skiptoken=a",
    "another record": "https://{host}:{port}/v1.0/communications/callRecords('{other}')/sessions?$skiptoken=a",
    "another record by a second key": "https://{host}:{port}/v1.0/communications/callRecords('{call}''{other}')/sessions",
    "another collection": "https://{host}:{port}/v1.0/users/{call}/messages",
    "all records": "https://{host}:{port}/v1.0/communications/callRecords?$skiptoken=a",
    "the subscriptions": "https://{host}:{port}/v1.0/subscriptions",
    "an empty text": "",
    "very long": "https://{host}:{port}/v1.0/{rest}&a={long}",
}
MEMBERS = ("sessions@odata.nextLink", "participants_v2@odata.nextLink")


def _link(template: str, graph_url: str, catcher: TokenCatcher, call_id: str, tenant_id: str) -> str:
    host, _, port = graph_url.removeprefix("https://").partition(":")
    rest = f"communications/callRecords('{call_id}')/sessions?$skiptoken=a"
    named = {"host": host, "port": port, "catcher": catcher.port, "rest": rest, "call": call_id, "other": OTHER}
    return template.format(**named, tenant=tenant_id, long="a" * 9000)


async def test_no_hostile_link_is_followed_and_each_ends_as_a_dead_letter(
    fetching: Fetching, simulated: Simulated, catcher: TokenCatcher
) -> None:
    """One request each, to the record itself; no connection to anybody else; `hostile_link`, and nothing published."""
    calls = {name: str(uuid.uuid4()) for name in HOSTILE}
    for at, (name, template) in enumerate(HOSTILE.items()):
        link = _link(template, simulated.graph_url, catcher, calls[name], simulated.tenant_id)
        document = record(calls[name], **{MEMBERS[at % 2]: link})
        path = f"records/{simulated.tenant_id}/{calls[name]}"
        await simulated("PUT", path, {"document": document, "nextLink": "untouched", "notify": False})
        await fetching.ask(simulated.tenant_id, calls[name])
    reasons = {name: (await fetching.refused(call_id))["ringback_dlq_reason"] for name, call_id in calls.items()}
    assert len(reasons) >= 60
    assert {name: reason for name, reason in reasons.items() if reason != "hostile_link"} == {}
    assert (catcher.connections, catcher.heads) == (0, [])
    asked = [line["callId"] for line in await simulated.requests() if line["callId"] in set(calls.values())]
    assert sorted(asked) == sorted(calls.values())


PLACES: dict[str, Callable[[str, str], dict[str, Any]]] = {
    "sessions": lambda call, link: record(call, **{"sessions@odata.nextLink": link}),
    "participants": lambda call, link: record(call, **{"participants_v2@odata.nextLink": link}),
    "segments": lambda call, link: record(
        call, sessions=[{"id": "s", "segments": [], "segments@odata.nextLink": link}]
    ),
    "any member": lambda call, link: record(call, **{"unheardOf@odata.nextLink": link}),
}


@pytest.mark.parametrize("place", PLACES.values(), ids=PLACES)
async def test_a_hostile_link_is_refused_wherever_it_stands(
    fetching: Fetching, hostile: GraphEdge, catcher: TokenCatcher, place: Callable[[str, str], dict[str, Any]]
) -> None:
    """In every collection that can have pages, known or not."""
    call_id = str(uuid.uuid4())
    link = f"https://localhost:{catcher.port}/v1.0/communications/callRecords/{call_id}/sessions?$skiptoken=a"
    hostile.answers[call_id] = lambda _: raw_response(200, orjson.dumps(place(call_id, link)))
    await fetching.ask(EDGE, call_id)
    assert (await fetching.refused(call_id))["ringback_dlq_reason"] == "hostile_link"
    assert catcher.connections == 0


async def test_a_hostile_link_on_a_later_page_is_refused(
    fetching: Fetching, hostile: GraphEdge, catcher: TokenCatcher
) -> None:
    """The first page's link is good, the second page's is not: what was read is not published."""
    call_id = str(uuid.uuid4())
    good = f"{hostile.url}/v1.0/communications/callRecords/{call_id}/sessions?$skiptoken=a"
    bad = f"https://localhost:{catcher.port}/v1.0/communications/callRecords/{call_id}/sessions?$skiptoken=b"
    whole = record(call_id, **{"sessions@odata.nextLink": good})
    page: dict[str, Any] = {"value": [], "@odata.nextLink": bad}
    hostile.answers[call_id] = lambda seen: raw_response(
        200, orjson.dumps(page if "skiptoken" in seen.target else whole)
    )
    await fetching.ask(EDGE, call_id)
    assert (await fetching.refused(call_id))["ringback_dlq_reason"] == "hostile_link"
    assert [seen.target for seen in hostile.about(call_id)][1:] == [good.removeprefix(hostile.url)]
    assert catcher.connections == 0


async def test_of_a_link_as_in_microsoft_s_sample_only_the_token_is_used_at_the_record_s_own_address(
    fetching: Fetching, hostile: GraphEdge
) -> None:
    """It leads to the metadata; the page behind it is asked for below the record, and the record is published whole."""
    call_id = str(uuid.uuid4())
    place = f"$metadata#communications/callRecords('{call_id}')/sessions"
    link = f"{hostile.url}/v1.0/{place}?$expand=segments&$skiptoken=a%2bb"
    whole, page = record(call_id, **{"sessions@odata.nextLink": link}), {"value": [{"id": "second"}]}
    hostile.answers[call_id] = lambda seen: raw_response(
        200, orjson.dumps(page if "skiptoken" in seen.target else whole)
    )
    await fetching.ask(EDGE, call_id)
    await fetching.published(call_id)
    own = f"/v1.0/communications/callRecords/{call_id}"
    assert [seen.target for seen in hostile.about(call_id)][1:] == [
        f"{own}/sessions?$expand=segments&$skiptoken=a%2bb",
        f"{own}?$select=id,version,lastModifiedDateTime,participants_v2&$expand=participants_v2",
    ]


@pytest.mark.parametrize("status", [300, 301, 302, 303, 304, 307, 308])
@pytest.mark.parametrize("on", ["record", "page"])
async def test_a_redirect_is_refused_and_not_followed(
    fetching: Fetching, hostile: GraphEdge, catcher: TokenCatcher, status: int, on: str
) -> None:
    """Of the record or of a page: it ends `refused` with its status, and the other host hears nothing."""
    call_id = str(uuid.uuid4())
    good = f"{hostile.url}/v1.0/communications/callRecords/{call_id}/sessions?$skiptoken=a"
    whole = record(call_id, **{"sessions@odata.nextLink": good})
    location = f"https://localhost:{catcher.port}/v1.0/communications/callRecords/{call_id}"
    hostile.answers[call_id] = lambda seen: (
        raw_response(status, Location=location)
        if on == "record" or "skiptoken" in seen.target
        else raw_response(200, orjson.dumps(whole))
    )
    await fetching.ask(EDGE, call_id)
    letter = await fetching.refused(call_id)
    assert (letter["ringback_dlq_reason"], letter["ringback_dlq_error_class"]) == ("refused", f"status_{status}")
    assert catcher.connections == 0


async def test_the_catcher_would_have_seen_a_token(
    fetching: Fetching, hostile: GraphEdge, catcher: TokenCatcher
) -> None:
    """It listens, its certificate is trusted, and the Graph beside it got the token: silence there means refusal."""
    call_id = str(uuid.uuid4())
    hostile.answers[call_id] = lambda _: raw_response(200, orjson.dumps(record(call_id)))
    await fetching.ask(EDGE, call_id)
    await fetching.published(call_id)
    assert hostile.about(call_id)[0].headers["authorization"] == f"Bearer {TOKEN}"
    assert await eventually(lambda: catcher.port) > 0
    assert await fetching.on(INTERNAL_DEAD_LETTERS, call_id) == []
