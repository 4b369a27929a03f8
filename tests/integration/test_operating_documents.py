"""docs/operating.md: what it has an operator save and run does what it says, on a real Kafka."""

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from ringback_common.outcomes import Reason, Received, Reject
from ringback_events.topics import (
    AUDIT,
    CONTROL,
    FETCH_BULK,
    FETCH_RETRY_2M,
    INTERNAL_DEAD_LETTERS,
    RESTRICTED_DEAD_LETTERS,
)
from ringback_local.kafka import Broker
from ringback_stream.consume.dead_letters import dead_letter
from ringback_testing import dump_topic
from ringback_testing.command import PLAINTEXT
from ringback_testing.fixtures import MakeTopics
from ringback_testing.streaming import send_all, settings_for

pytestmark = [pytest.mark.integration, pytest.mark.timeout(180)]

PAGE = (Path(__file__).parents[2] / "docs" / "operating.md").read_text(encoding="utf-8")
(PAUSE,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
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
        **PLAINTEXT,
    }
    ended = subprocess.run(
        command, input=stdin, env=os.environ | settings, capture_output=True, text=True, timeout=60, check=False
    )
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


async def test_the_page_releases_with_options_that_exist(
    kafka: Broker, topic_prefix: str, make_topics: MakeTopics
) -> None:
    """The dry run and the order of the page, word for word: a letter goes back to its tenant's partition, once."""
    topics = await make_topics(INTERNAL_DEAD_LETTERS.name, RESTRICTED_DEAD_LETTERS.name, FETCH_BULK.name, AUDIT.name)
    headers = (("ringback_attempt", b"6"),)
    refused = Received(FETCH_RETRY_2M.name, 1, 0, 1_795_368_862_371, KEY, b'{"a": "request"}', headers)
    letter = dead_letter(refused, Reject(Reason.UNKNOWN_TENANT), "fetch")
    await send_all(settings_for(kafka.bootstrap_servers, topic_prefix), [letter])
    dry_run, order = (shlex.split(line) for line in re.findall(r"\$ ringback (dlq release --reason .*)", PAGE))
    run(kafka, topic_prefix, RINGBACK, *dry_run)
    assert await dump_topic(kafka.bootstrap_servers, topics[FETCH_BULK.name]) == []
    run(kafka, topic_prefix, RINGBACK, *order)
    (again,) = await dump_topic(kafka.bootstrap_servers, topics[FETCH_BULK.name])
    assert (again.key, again.value) == (KEY, refused.value)
    assert again.partition == PARTITION_OF_THE_TENANT


async def test_a_tenant_is_paused_and_resumed_by_hand(
    kafka: Broker, topic_prefix: str, make_topics: MakeTopics
) -> None:
    """The page's script writes an entry under the tenant's key, then a tombstone."""
    topics = await make_topics(CONTROL.name)
    run(kafka, topic_prefix, sys.executable, "-c", PAUSE, TENANT, "maintenance")
    run(kafka, topic_prefix, sys.executable, "-c", PAUSE, TENANT)
    paused, resumed = await dump_topic(kafka.bootstrap_servers, topics[CONTROL.name])
    assert paused.key == resumed.key == f"pause|{TENANT}".encode()
    assert json.loads(paused.value or b"")["reason"] == "maintenance"
    assert resumed.value is None
