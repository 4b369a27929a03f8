"""What is wrong around a process: it ends with 2 and one sentence, or waits and says for what."""

from datetime import datetime
from pathlib import Path

import aiohttp
import pytest
from ringback_ingest.client_state import CALL_RECORDS, client_state, keys_of, new_keys_file
from ringback_local.ports import lease_ports
from ringback_testing import ProcessFactory, RunningProcess, eventually
from ringback_testing.installation import Installation
from ringback_testing.usable import COMMANDS, DSN, KAFKA, usable

pytestmark = pytest.mark.e2e


@pytest.mark.asyncio(loop_scope="session")
@pytest.mark.parametrize("name", ["keeper", "fetch", "store"])
async def test_a_missing_topic_ends_with_2_and_names_topic_and_command(
    installation: Installation, tmp_path: Path, process: ProcessFactory, name: str
) -> None:
    """On a Kafka without our topics the sentence says which one is missing and what makes it."""
    here = {KAFKA: installation.stack.bootstrap_servers, "RINGBACK_KAFKA__TOPIC_PREFIX": "absent."}
    given = usable(tmp_path) | here | {DSN: installation.stack.dsn}
    ended = await process(name, COMMANDS[name], given, ready=False)
    assert await ended.exited(45) == 2
    (sentence,) = [line for line in ended.output().splitlines() if not line.startswith("{")]
    assert "absent.callrecords." in sentence
    assert "run `ringback topics apply`" in sentence


@pytest.mark.asyncio(loop_scope="session")
async def test_without_kafka_every_process_stays_and_says_so(
    installation: Installation, tmp_path: Path, process: ProcessFactory
) -> None:
    """Live, not ready, and a line every ten seconds."""
    given = usable(tmp_path) | {DSN: installation.stack.dsn}
    del given["RINGBACK_ADMIN__PORT"]  # the factory gives each one of its own
    waiting = [await process(name, COMMANDS[name], given, ready=False) for name in ("keeper", "fetch", "store")]
    for one in waiting:
        first, second, *_ = await eventually(lambda one=one: _said(one) if len(_said(one)) >= 2 else [], 60)
        assert 8 <= (second - first).total_seconds() <= 20
        assert await _status(one, "livez") == 200
        assert await _status(one, "readyz") == 503
        assert one.returncode is None


@pytest.mark.asyncio(loop_scope="session")
async def test_a_webhook_without_its_topics_accepts_nothing(
    installation: Installation, tmp_path: Path, process: ProcessFactory
) -> None:
    """It stays, as it does without Kafka, and answers a genuine POST with 503: Graph will come again."""
    here = {KAFKA: installation.stack.bootstrap_servers, "RINGBACK_KAFKA__TOPIC_PREFIX": "absent."}
    with lease_ports(1) as [port]:
        given = usable(tmp_path) | here | {"RINGBACK_WEBHOOK__PORT": str(port)}
        del given["RINGBACK_ADMIN__PORT"]
        webhook = await process("webhook", COMMANDS["webhook"], given)
        query = "slot=callrecords&kid=dev1&installation=test"
        for _ in range(2):
            assert await _post(f"http://127.0.0.1:{port}/graph/notifications?{query}", installation.tenants[0]) == 503
        assert webhook.returncode is None


def _said(process: RunningProcess) -> list[datetime]:
    """When it said that it waits for Kafka."""
    reported = [line for line in process.logs() if line["message"] == "Kafka cannot be reached; waiting for it."]
    return [datetime.fromisoformat(line["time"]) for line in reported]


async def _status(process: RunningProcess, path: str) -> int:
    async with aiohttp.ClientSession() as probe, probe.get(f"http://127.0.0.1:{process.admin_port}/{path}") as answer:
        return answer.status


async def _post(url: str, tenant_id: str) -> int:
    key = keys_of(new_keys_file("dev1", bytes(32)), "the file").active
    item = {
        "subscriptionId": "5d6e1b0f-4f51-4a3b-9d9c-1f2b3c4d5e6f",
        "clientState": client_state(key, tenant_id, CALL_RECORDS),
        "changeType": "updated",
        "resource": "communications/callRecords/a-call",
        "resourceData": {"@odata.type": "#microsoft.graph.callRecord", "id": "a-call"},
        "tenantId": tenant_id,
    }
    async with aiohttp.ClientSession() as graph, graph.post(url, json={"value": [item]}) as answer:
        return answer.status
