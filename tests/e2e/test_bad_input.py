"""What an operator gets wrong: every process ends with 2 and one sentence, or waits and says for what."""

import subprocess
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

import aiohttp
import pytest
from ringback_ingest.client_state import CALL_RECORDS, client_state, keys_of, new_keys_file
from ringback_local.child import clean_environment, installed
from ringback_local.ports import lease_ports
from ringback_testing import ProcessFactory, RunningProcess, eventually
from ringback_testing.installation import Installation

pytestmark = pytest.mark.e2e

NOWHERE = "127.0.0.1:1"
COMMANDS = {
    "webhook": ("ringback-ingest", "webhook"),
    "keeper": ("ringback-ingest", "keeper"),
    "fetch": ("ringback-enricher", "fetch"),
    "store": ("ringback-sink", "store"),
    "migrate": ("ringback-sink", "migrate"),
    "topics diff": ("ringback", "topics", "diff"),
    "dlq ls": ("ringback", "dlq", "ls"),
    "status": ("ringback", "status"),
    "lookup": ("ringback", "lookup", "5f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0"),
}
SERVICES = ("webhook", "keeper", "fetch", "store")
KAFKA, DSN = "RINGBACK_KAFKA__BOOTSTRAP_SERVERS", "RINGBACK_STORE__DSN"
PROTOCOL = "RINGBACK_KAFKA__SECURITY_PROTOCOL"
STATE_KEYS, TOKEN_KEYS = "RINGBACK_WEBHOOK__CLIENT_STATE_KEYS_FILE", "RINGBACK_PRIVACY__KEYS_FILE"
NEEDS_KAFKA, NEEDS_STORE = (*SERVICES, "topics diff"), ("store", "migrate", "status", "lookup", "dlq ls")

Mistake = tuple[str, Mapping[str, str | None], str]
"""A process, what is set (None: left out) over what would be right, and the setting its sentence names."""

DEV_SECRETS = {"RINGBACK_PROFILE": None}
"""In production, the default, what `usable` gives is for development."""
PLACEHOLDER = {"RINGBACK_INSTALLATION_ID": "change-me"} | DEV_SECRETS
MISTAKES: list[Mistake] = [
    *((name, {KAFKA: None}, KAFKA) for name in NEEDS_KAFKA),
    *((name, {f"{KAFKA[:-1]}": "x:1"}, KAFKA[:-1]) for name in NEEDS_KAFKA),
    *((name, {PROTOCOL: "SASL_SSL"}, "RINGBACK_KAFKA__SASL_MECHANISM") for name in NEEDS_KAFKA),
    ("topics diff", {PROTOCOL: "TLS"}, PROTOCOL),
    *((name, {"RINGBACK_INSTALLATION_ID": None}, "RINGBACK_INSTALLATION_ID") for name in SERVICES),
    *((name, PLACEHOLDER, "RINGBACK_INSTALLATION_ID") for name in SERVICES),
    *((name, {"RINGBACK_TIME_SCALE": "60"} | DEV_SECRETS, "RINGBACK_TIME_SCALE") for name in COMMANDS),
    ("migrate", {"RINGBACK_PROFILE": "test"}, "RINGBACK_PROFILE"),
    *((name, {DSN: None}, DSN) for name in ("status", "lookup", "dlq ls")),
    *((name, {DSN: "mysql://u:hush@h/d"}, DSN) for name in ("store", "status")),
    *((name, {DSN: None, f"{DSN}_FILE": "/nowhere/dsn"}, f"{DSN}_FILE") for name in ("store", "lookup")),
    *((name, {"RINGBACK_STORE__DNS": "postgres://u:hush@h/d"}, "RINGBACK_STORE__DNS") for name in NEEDS_STORE),
    *((name, DEV_SECRETS, STATE_KEYS) for name in ("webhook", "keeper")),
    ("fetch", DEV_SECRETS, TOKEN_KEYS),
    *((name, {"RINGBACK_TENANTS_FILE": "/nowhere/tenants"}, "RINGBACK_TENANTS_FILE") for name in ("keeper", "fetch")),
    *((name, {"RINGBACK_GRAPH__CAFILE": "/nowhere/ca"}, "RINGBACK_GRAPH__CAFILE") for name in ("keeper", "fetch")),
    ("webhook", {"RINGBACK_WEBHOOK__PORT": "http"}, "RINGBACK_WEBHOOK__PORT"),
]
"""What the members' own tests of their settings do not have; each starts a real process."""


def _id(case: Mistake) -> str:
    return " ".join((case[0], *(f"{name}={value}" for name, value in case[1].items())))


@pytest.mark.parametrize(("name", "changes", "setting"), [pytest.param(*case, id=_id(case)) for case in MISTAKES])
def test_a_settings_mistake_ends_with_2_and_one_sentence(
    tmp_path: Path, name: str, changes: Mapping[str, str | None], setting: str
) -> None:
    """The sentence on stderr names the setting and quotes no secret; nothing else is said, and nothing waited for."""
    given = {variable: value for variable, value in (usable(tmp_path) | changes).items() if value is not None}
    ended = subprocess.run(
        installed(COMMANDS[name]), env=clean_environment(given), capture_output=True, text=True, timeout=30, check=False
    )
    assert (ended.returncode, ended.stdout) == (2, ""), ended.stderr
    (sentence,) = ended.stderr.splitlines()
    assert setting in sentence
    assert "hush" not in sentence


def usable(folder: Path) -> dict[str, str]:
    """Settings with which every process starts, in the dev profile and with dev secrets, and finds nobody."""
    files = {
        "tenants.yaml": b"tenants: []\n",
        "pseudonyms.json": b'{"active": "dev1", "keys": {"dev1": {"key": "' + b"A" * 64 + b'"}}}',
        "client-state.json": new_keys_file("dev1", bytes(32)),
    }
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return {
        "RINGBACK_PROFILE": "dev",
        "RINGBACK_INSTALLATION_ID": "test",
        "RINGBACK_ADMIN__HOST": "127.0.0.1",
        "RINGBACK_ADMIN__PORT": "0",
        "RINGBACK_WEBHOOK__HOST": "127.0.0.1",
        "RINGBACK_WEBHOOK__PORT": "0",
        "RINGBACK_TENANTS_FILE": str(folder / "tenants.yaml"),
        KAFKA: NOWHERE,
        DSN: f"postgresql://postgres@{NOWHERE}/ringback",
        STATE_KEYS: str(folder / "client-state.json"),
        TOKEN_KEYS: str(folder / "pseudonyms.json"),
    }


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
        first, second, *_ = await eventually(lambda one=one: len(_said(one)) >= 2 and _said(one), 60)
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
    told = [line for line in process.logs() if line["message"] == "Kafka cannot be reached; waiting for it."]
    return [datetime.fromisoformat(line["time"]) for line in told]


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
