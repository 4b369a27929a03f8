"""After everything else was done with it: nothing the installation says about itself names a person or a secret."""

import asyncio
import re
import uuid
from collections.abc import Mapping
from typing import Any

import aiohttp
import orjson
import pytest
from ringback_events.keys import call_key
from ringback_events.topics import AUDIT, FETCH, INTERNAL_DEAD_LETTERS, RECORDS, RESTRICTED_DEAD_LETTERS, STATUS
from ringback_ingest.client_state import CALL_RECORDS, client_state, keys_of
from ringback_testing import eventually
from ringback_testing.graph_records import meeting
from ringback_testing.installation import DSN_PASSWORD, SERVICES, Installation
from ringback_testing.searching import found_in, personal_values

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(180), pytest.mark.asyncio(loop_scope="session")]

TOKEN = re.compile(rb"[A-Za-z0-9_-]{200}")
"""No id, name or hash of ours is as long; the simulator's tokens have 1,200 characters."""
POISON = {"on fetch": "Canary Underfetch", "on records": "Canary Overrecord", "in a bad record": "Canary Badschema"}
POSTED = {
    "beside an item": "Canary Besides",
    "malformed": "Canary Malformed",
    "forged": "canary-forged-client-state",
    "echoed": "canary-validation-token",
}


async def test_no_person_and_no_secret_is_in_logs_metrics_spans_and_dead_letter_headers(
    installation: Installation,
) -> None:
    """The search that finds each canary where it was put finds none in what operators see."""
    people, inputs = await _plant(installation)
    secrets = _secrets(installation)
    assert found_in(people, *inputs) == people
    outputs = await _outputs(installation)
    canaries = people | set(secrets.values())
    assert {name: found for name, data in outputs.items() if (found := found_in(canaries, data))} == {}
    assert [name for name, data in outputs.items() if TOKEN.search(data)] == []
    assert TOKEN.search((await _token(installation)).encode())


async def _plant(installation: Installation) -> tuple[set[str], list[bytes]]:
    """Bring canaries in by every door; the canaries, and what was read back where they may be."""
    whole: dict[str, Any] = meeting() | {"id": str(uuid.uuid4())}
    hostile = meeting() | {"id": str(uuid.uuid4()), "sessions@odata.nextLink": "https://canary-host.example/v1.0/x"}
    await installation.install(whole, "own")
    await installation.install(hostile, "untouched")
    await _poison(installation, whole)
    posted = await _post(installation)
    await installation.stored(whole["id"], version=whole["version"])
    letters = (INTERNAL_DEAD_LETTERS, RESTRICTED_DEAD_LETTERS)

    async def refused() -> list[bytes] | None:
        values = [letter.value or b"" for topic in letters for letter in await installation.on(topic)]
        there = found_in(set(POISON.values()), *values) == set(POISON.values())
        return values if there and await installation.on(INTERNAL_DEAD_LETTERS, hostile["id"]) else None

    values = await eventually(refused, 60)
    assert values is not None
    restricted = [record.value or b"" for record in await installation.on(RECORDS, whole["id"])]
    people = personal_values(whole) | set(POISON.values()) | set(POSTED.values())
    return people, [*values, *restricted, *posted]


async def _poison(installation: Installation, whole: Mapping[str, Any]) -> None:
    tenant = installation.tenants[0]
    broken = b'{"displayName": "%s"'
    await installation.publish(FETCH, call_key(tenant, "poison-1"), broken % POISON["on fetch"].encode())
    await installation.publish(RECORDS, call_key(tenant, "poison-2"), broken % POISON["on records"].encode())
    unfit = {"tenantId": tenant, "callId": "poison-3", "graph": whole, "parties": POISON["in a bad record"]}
    await installation.publish(RECORDS, call_key(tenant, "poison-3"), orjson.dumps(unfit))


async def _post(installation: Installation) -> list[bytes]:
    """What Graph, or a client that pretends to be it, could send; all of it is answered."""
    webhook = installation.stack.processes["webhook"].spec.env["RINGBACK_WEBHOOK__PORT"]
    url = f"http://127.0.0.1:{webhook}/graph/notifications"
    item = {
        "subscriptionId": str(uuid.uuid4()),
        "changeType": "updated",
        "resource": "communications/callRecords/no-such-call",
        "resourceData": {"id": "no-such-call", "displayName": POSTED["beside an item"]},
        "tenantId": installation.tenants[0],
    }
    genuine = {"value": [item | {"clientState": _client_states(installation)[0]}]}
    forged = {"value": [item | {"clientState": POSTED["forged"]}]}
    bodies = [orjson.dumps(genuine), orjson.dumps(forged), b'{"value": "%s"' % POSTED["malformed"].encode()]
    query = f"?slot={CALL_RECORDS}&kid=local&installation=local"
    headers = {"content-type": "application/json"}
    async with aiohttp.ClientSession(headers=headers) as graph:
        for body, expected in zip(bodies, (202, 202, 503), strict=True):  # what may be ours is to be sent again
            async with graph.post(url + query, data=body) as answer:
                assert answer.status == expected
        async with graph.post(f"{url}?validationToken={POSTED['echoed']}") as answer:
            echoed = await answer.read()
    return [*bodies, echoed]


def _client_states(installation: Installation) -> list[str]:
    content = (installation.stack.run_folder / "client-state-keys.json").read_bytes()
    key = keys_of(content, "the file").active
    return [client_state(key, tenant, CALL_RECORDS) for tenant in installation.tenants]


def _secrets(installation: Installation) -> dict[str, str]:
    """Every secret the processes hold, by what it is."""
    folder = installation.stack.run_folder
    client = {f"secret of {one}": (folder / f"client-secret-{one}").read_text() for one in installation.tenants}
    states = {f"clientState {number}": state for number, state in enumerate(_client_states(installation))}
    (signing,) = orjson.loads((folder / "client-state-keys.json").read_bytes())["keys"]
    pseudonym = orjson.loads((folder / "pseudonym-keys.json").read_bytes())["keys"]["local"]["key"]
    assert DSN_PASSWORD in (folder / "store-dsn").read_text()
    return client | states | {"signing": signing["secret"], "pseudonym": pseudonym, "password": DSN_PASSWORD}


async def _outputs(installation: Installation) -> dict[str, bytes]:
    """What operators see, by where; nothing of it is empty, for that would prove nothing."""
    await asyncio.sleep(1.0)  # twice what the processes hold spans back for
    folder = installation.stack.run_folder
    logs = {f"log of {name}": (folder / f"{name}.log").read_bytes() for name in SERVICES}
    metrics = {f"metrics of {name}": (await installation.metrics(name)).encode() for name in SERVICES}
    letters = [*await installation.on(INTERNAL_DEAD_LETTERS), *await installation.on(RESTRICTED_DEAD_LETTERS)]
    headers = [part for letter in letters for header in letter.headers for part in (header[0].encode(), header[1])]
    reports = [*await installation.on(STATUS), *await installation.on(AUDIT)]
    topics = {"dead letters' headers": b"\n".join(headers), "reports": b"\n".join(one.value or b"" for one in reports)}
    spans = b"\n".join(installation.collector.exports)
    outputs = logs | metrics | topics | {"spans": spans}
    assert [name for name, data in outputs.items() if not data] == []
    return outputs


async def _token(installation: Installation) -> str:
    """A token such as the processes hold, to prove that the pattern fits one."""
    graph, tenant = installation.stack.simulator, installation.tenants[0]
    known = orjson.loads((installation.stack.run_folder / "simulator-tenants.json").read_bytes())["tenants"][0]
    form = {
        "grant_type": "client_credentials",
        "client_id": known["clientId"],
        "client_secret": known["clientSecret"],
        "scope": "https://graph.microsoft.com/.default",
    }
    trusted = installation.trusted()
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"{graph.authority_url}/{tenant}/oauth2/v2.0/token", data=form, ssl=trusted) as answer,
    ):
        return (await answer.json())["access_token"]
