"""docs/operating.md: what it has an operator save and run does what it says, on a real Kafka."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from ringback_common.outcomes import Reason, Received, Reject
from ringback_events.topics import CONTROL, FETCH, FETCH_BULK, INTERNAL_DEAD_LETTERS
from ringback_local.kafka import Broker
from ringback_stream.dead_letters import dead_letter
from ringback_testing import dump_topic
from ringback_testing.fixtures import MakeTopics
from ringback_testing.streaming import send_all, settings_for

pytestmark = [pytest.mark.integration, pytest.mark.timeout(180)]

PAGE = (Path(__file__).parents[2] / "docs" / "operating.md").read_text(encoding="utf-8")
ASK_AGAIN, PAUSE = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
RINGBACK = str(Path(sys.executable).parent / "ringback")
TENANT = "dc368399-474c-4d40-900c-6265431fd81f"
KEY = f"{TENANT}|e523d2ed-2966-4b6b-925b-754a88034cc5".encode()
PARTITION_OF_THE_TENANT = 1
"""Of 12, by contracts/partition-vectors.json."""


def run(kafka: Broker, prefix: str, *command: str, stdin: str = "") -> str:
    """Run a command as an operator would; its output."""
    settings = {
        "RINGBACK_KAFKA__BOOTSTRAP_SERVERS": kafka.bootstrap_servers,
        "RINGBACK_KAFKA__TOPIC_PREFIX": prefix,
    }
    ended = subprocess.run(
        command, input=stdin, env=os.environ | settings, capture_output=True, text=True, timeout=60, check=False
    )
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


async def test_a_dead_request_is_asked_for_again_where_its_tenant_belongs(
    kafka: Broker, topic_prefix: str, make_topics: MakeTopics
) -> None:
    """From `dlq show` through the page's script into the tenant's partition of the bulk lane, byte for byte."""
    topics = await make_topics(INTERNAL_DEAD_LETTERS.name, FETCH_BULK.name)
    headers = (("ringback_attempt", b"6"),)
    refused = Received(FETCH.name, PARTITION_OF_THE_TENANT, 0, 1_795_368_862_371, KEY, b'{"a": "request"}', headers)
    letter = dead_letter(refused, Reject(Reason.NOT_FOUND), "fetch")
    await send_all(settings_for(kafka.bootstrap_servers, topic_prefix), [letter])
    (lies,) = await dump_topic(kafka.bootstrap_servers, topics[INTERNAL_DEAD_LETTERS.name])
    where = f"{INTERNAL_DEAD_LETTERS.name}/{lies.partition}/{lies.offset}"
    shown = run(kafka, topic_prefix, RINGBACK, "dlq", "show", where, "--payload", "--json")
    run(kafka, topic_prefix, sys.executable, "-c", ASK_AGAIN, stdin=shown)
    (again,) = await dump_topic(kafka.bootstrap_servers, topics[FETCH_BULK.name])
    assert (again.key, again.value) == (KEY, refused.value)
    assert again.partition == PARTITION_OF_THE_TENANT
    assert [name for name, _ in again.headers if name.startswith("ringback_")] == []


async def test_a_tenant_is_paused_and_resumed_by_hand(
    kafka: Broker, topic_prefix: str, make_topics: MakeTopics
) -> None:
    """The page's script writes an entry under the tenant's key, then a tombstone."""
    topics = await make_topics(CONTROL.name)
    run(kafka, topic_prefix, sys.executable, "-c", PAUSE, TENANT, "maintenance")
    run(kafka, topic_prefix, sys.executable, "-c", PAUSE, TENANT)
    paused, resumed = await dump_topic(kafka.bootstrap_servers, topics[CONTROL.name])
    assert paused.key == resumed.key == f"pause|{TENANT}".encode()
    assert json.loads(paused.value)["reason"] == "maintenance"
    assert resumed.value is None
