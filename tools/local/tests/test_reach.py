"""How to reach what was started: every way is printed, and the commands of a run work as they are printed."""

import ast
import os
import shlex
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from ringback_local.child import installed
from ringback_local.commands import write_commands
from ringback_local.kafka import Broker
from ringback_local.owned import OwnProcess
from ringback_local.postgres import Postgres
from ringback_local.postgres.wheel import psql
from ringback_local.reach import _POOR, STALL, Reach, ways  # pyright: ignore[reportPrivateUsage]
from ringback_local.server_health import server_health
from ringback_local.specs import Addresses
from ringback_local.supervised import State
from ringback_stream.consume.consumer import _SESSION_MS  # pyright: ignore[reportPrivateUsage]

ADDRESSES = Addresses(
    bootstrap_servers="127.0.0.1:18001",
    topic_prefix="x.",
    graph_port=18002,
    control_port=18003,
    webhook_port=18004,
    admin_ports={"store": 18005, "enricher": 18006, "webhook": 18007, "keeper": 18008},
)
TENANTS = ["a91fa0d8-7d84-5317-a65a-8dda375cc0cd", "e62069ac-cd1d-5ba8-82ed-58b9f88d4736"]
SHOWS_ITS_SETTINGS = f"""#!{sys.executable}
import os, sys
print(sys.argv[1:], {{name: value for name, value in os.environ.items() if name[:9] == "RINGBACK_"}})
"""


def test_every_way_is_named() -> None:
    """The operator's command, psql, a topic, webhook, metrics of each service, tenants, Graph, logs; and no other."""
    assert ways(Reach(ADDRESSES, Path("/somewhere/run-1"), TENANTS)) == [
        "ringback    /somewhere/run-1/ringback status",
        "            /somewhere/run-1/ringback lookup CALL_ID",
        "            /somewhere/run-1/ringback dlq ls",
        f'PostgreSQL  /somewhere/run-1/psql -c "{_POOR}"',
        "Kafka       /somewhere/run-1/topic callrecords.open.calls.v1",
        "            127.0.0.1:18001",
        "webhook     http://127.0.0.1:18004/graph/notifications",
        "metrics     store http://127.0.0.1:18005/metrics",
        "            enricher http://127.0.0.1:18006/metrics",
        "            webhook http://127.0.0.1:18007/metrics",
        "            keeper http://127.0.0.1:18008/metrics",
        f"tenants     {TENANTS[0]}",
        f"            {TENANTS[1]}",
        "Graph       https://localhost:18002, the simulator; its control API: http://127.0.0.1:18003",
        "logs        /somewhere/run-1",
        STALL,
    ]


def test_a_way_can_be_copied_as_it_stands(tmp_path: Path) -> None:
    """A shell runs each command of the folder, whatever the clone is called, and each is given what it should be."""
    folder = tmp_path / "My Clone's" / "run-1"
    folder.mkdir(parents=True)
    for name in ("ringback", "psql", "topic"):
        (folder / name).write_text(SHOWS_ITS_SETTINGS)
        (folder / name).chmod(0o755)
    lines = [line[12:] for line in ways(Reach(ADDRESSES, folder, TENANTS))]
    commands = [line for line in lines if shlex.split(line)[0].startswith(f"{folder}/")]
    shown = [subprocess.run(["sh", "-c", line], check=True, capture_output=True, text=True).stdout for line in commands]
    assert [ast.literal_eval(each.partition(" {")[0]) for each in shown] == [
        ["status"],
        ["lookup", "CALL_ID"],
        ["dlq", "ls"],
        ["-c", _POOR],
        ["callrecords.open.calls.v1"],
    ]


def test_a_stall_is_explained() -> None:
    """Somebody who sees nothing happen after a kill reads why; the time is that of the consumers' session."""
    assert f"A stall of {_SESSION_MS // 1000} s " in STALL
    assert STALL in ways(Reach(ADDRESSES, Path("/run"), TENANTS))


@pytest.fixture
def programs(tmp_path: Path) -> Path:
    """A folder with programs of the two commands' names that show what they are given."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in ("ringback", "psql"):
        (folder / name).write_text(SHOWS_ITS_SETTINGS)
        (folder / name).chmod(0o755)
    return folder


def test_the_commands_of_a_run_know_where_it_is_and_nothing_of_another(tmp_path: Path, programs: Path) -> None:
    """Whatever the shell exports, `ringback` speaks to this run's Kafka and store, and psql to its database."""
    (tmp_path / "store-dsn").write_text("postgresql://u:pw@127.0.0.1/x")
    write_commands(tmp_path, ADDRESSES, programs / "ringback", programs / "psql")
    exported = {"RINGBACK_STORE__DSN": "postgresql://production/x", "RINGBACK_KAFKA__SASL_USERNAME": "app"}
    shown = _run(tmp_path / "ringback", exported, "lookup", "a call")
    assert shown.startswith("['lookup', 'a call'] ")
    assert "production" not in shown
    assert "SASL" not in shown
    for setting in (
        "'RINGBACK_KAFKA__BOOTSTRAP_SERVERS': '127.0.0.1:18001'",
        "'RINGBACK_KAFKA__TOPIC_PREFIX': 'x.'",
        f"'RINGBACK_STORE__DSN_FILE': '{tmp_path}/store-dsn'",
    ):
        assert setting in shown
    assert _run(tmp_path / "psql", exported, "-c", "SELECT 1").startswith(
        "['postgresql://u:pw@127.0.0.1/x', '-c', 'SELECT 1']"
    )
    assert {stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("ringback", "psql", "topic")} == {0o700}


def test_the_topic_command_of_a_run_says_what_is_missing(tmp_path: Path, programs: Path) -> None:
    """It takes a topic of the contract and finds Kafka by itself; where Kafka has ended, a sentence says so."""
    write_commands(tmp_path, ADDRESSES, programs / "ringback", programs / "psql")
    calls = "callrecords.open.calls.v1"
    reported = subprocess.run([tmp_path / "topic", calls], check=False, capture_output=True, text=True)
    assert (reported.returncode, reported.stderr) == (1, "Kafka does not answer: KafkaConnectionError.\n")
    reported = subprocess.run([tmp_path / "topic", "no.topic"], check=False, capture_output=True, text=True)
    assert (reported.returncode, reported.stderr) == (2, "There is no topic no.topic.\n")
    asked = subprocess.run([tmp_path / "topic"], check=False, capture_output=True, text=True)
    assert (asked.returncode, "usage: topic [-h] [-n N]" in asked.stderr) == (2, True)


def test_the_operators_own_command_takes_the_settings_of_a_run(tmp_path: Path) -> None:
    """It is the store that does not answer, where none is: no setting is missing or wrong."""
    (tmp_path / "store-dsn").write_text("postgresql://u:pw@127.0.0.1:1/x")
    write_commands(tmp_path, ADDRESSES, Path(installed(["ringback"])[0]), psql())
    ended = subprocess.run([tmp_path / "ringback", "status"], check=False, capture_output=True, text=True)
    assert (ended.returncode, ended.stderr.startswith("The store does not answer")) == (1, True), ended.stderr


def _run(command: Path, exported: dict[str, str], *arguments: str) -> str:
    env = os.environ | exported
    return subprocess.run([command, *arguments], env=env, check=True, capture_output=True, text=True).stdout


def test_a_psql_is_found_that_runs() -> None:
    """The path's, or the one beside the server that this environment brings."""
    answer = subprocess.run([psql(), "--version"], check=True, capture_output=True, text=True)
    assert answer.stdout.startswith("psql (PostgreSQL) ")


class Idle(OwnProcess):
    """A server of ours that does nothing."""

    def answers(self) -> bool:
        """Once it has said so."""
        return "up" in self.last_lines()


@pytest.mark.parametrize("running", [True, False])
def test_kafka_and_postgresql_are_listed_with_what_they_hold(tmp_path: Path, running: bool) -> None:  # noqa: FBT001
    """A row each, as for a process: ready while they run, else stopped, for nobody starts them again."""
    server = Idle(
        "idle",
        [sys.executable, "-c", "import time; print('up', flush=True); time.sleep(60)"],
        os.environ,
        tmp_path / "idle.log",
    )
    server.start()
    if not running:
        server.kill()
    servers = {"kafka": Broker("k:1", [server]), "postgresql": Postgres("postgresql://u:pw@h/x", server)}
    rows = [server_health(name, each) for name, each in servers.items()]
    server.kill()
    assert [row.name for row in rows] == ["kafka", "postgresql"]
    assert [row.state for row in rows] == [State.READY if running else State.STOPPED] * 2
    assert all((row.rss > 1_000_000) is running for row in rows)


def test_a_server_of_somebody_else_is_listed_without_its_password() -> None:
    """Where it is may be said; nobody here knows how it is."""
    rows = [server_health("kafka", Broker("k:1")), server_health("postgresql", Postgres("postgresql://u:pw@h/x"))]
    assert [(row.pid, row.rss) for row in rows] == [(None, 0)] * 2
    assert all("not run by us" in row.reason for row in rows)
    assert not any("pw" in row.reason for row in rows)
