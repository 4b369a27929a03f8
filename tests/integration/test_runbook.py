"""docs/runbook.md: its commands are run as they stand, on a real Kafka and a real PostgreSQL."""

import re
import shlex
from pathlib import Path

import pytest
from ringback_local.kafka import Broker
from ringback_sink.store.postgres.migrate import migrate
from ringback_testing.command import ringback
from ringback_testing.fixtures import MakeTopics

pytestmark = [pytest.mark.integration, pytest.mark.timeout(180)]

PAGE = (Path(__file__).parents[2] / "docs" / "runbook.md").read_text(encoding="utf-8")
COMMANDS = sorted({line for block in re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL) for line in block.splitlines()})
EXPECTED = {"ringback status": 1}
"""Exit codes that are not 0: no process has sent a report."""


async def test_every_command_of_the_runbook_looks_and_changes_nothing(
    kafka: Broker, topic_prefix: str, make_topics: MakeTopics, database: str
) -> None:
    """Each ends as it says, without a mistake in its options, on an installation in which nothing runs."""
    await make_topics()
    await migrate(database)
    settings = {
        "RINGBACK_KAFKA__BOOTSTRAP_SERVERS": kafka.bootstrap_servers,
        "RINGBACK_KAFKA__TOPIC_PREFIX": topic_prefix,
        "RINGBACK_STORE__DSN": database,
    }
    assert len(COMMANDS) > 3
    ended = {line: await ringback(settings, *shlex.split(line)[1:]) for line in COMMANDS}
    assert {line: (one.code, one.err) for line, one in ended.items() if one.code != EXPECTED.get(line, 0)} == {}
    assert "Traceback" not in "".join(one.err for one in ended.values())
