"""Kafka and PostgreSQL in containers, as the tests use them where RINGBACK_LOCAL=docker says so.

Run by `make test-containers`, which then runs a part of tests/integration by the same providers.
"""

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import docker
import pytest
from ringback_local.engine import OWNER, owner
from ringback_local.kafka import open_broker
from ringback_local.postgres import open_postgres

pytestmark = [pytest.mark.integration, pytest.mark.timeout(300)]

LOOPBACK = {"0100007F", "0000000000000000FFFF00000100007F"}
"""127.0.0.1 as /proc/net/tcp writes it, and as tcp6 does for Java, which opens both kinds at once."""
_LISTENS = "0A"


@pytest.fixture(autouse=True)
def in_containers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a machine could do both."""
    monkeypatch.setenv("RINGBACK_LOCAL", "docker")


@pytest.fixture
def engine() -> Iterator[docker.DockerClient]:
    """The engine that answers."""
    client = docker.from_env()
    yield client
    client.close()


def listeners(port: int) -> set[str]:
    """The local addresses at which something listens on this port."""
    rows = [line.split() for name in ("tcp", "tcp6") for line in Path(f"/proc/net/{name}").read_text().splitlines()[1:]]
    return {row[1].split(":")[0] for row in rows if row[1].endswith(f":{port:04X}") and row[3] == _LISTENS}


def owned(engine: docker.DockerClient, by: str | None = None) -> int:
    """How many containers a process of ours has, without a name this one."""
    return len(engine.containers.list(all=True, filters={"label": f"{OWNER}={by or owner()}"}))


def test_postgresql_runs_in_a_container_on_loopback_alone(engine: docker.DockerClient) -> None:
    """It keeps its data over a kill, and is gone afterwards."""
    with open_postgres(own=True) as postgres:
        assert owned(engine) == 1
        port = int(postgres.dsn.rpartition(":")[2].partition("/")[0])
        assert listeners(port)
        assert listeners(port) <= LOOPBACK
        postgres.kill()
        assert not postgres.running
        postgres.start()
    assert owned(engine) == 0


def test_kafka_runs_in_a_container_on_loopback_alone(engine: docker.DockerClient) -> None:
    """The same."""
    with open_broker(own=True) as broker:
        assert owned(engine) == 1
        port = int(broker.bootstrap_servers.rpartition(":")[2])
        assert listeners(port)
        assert listeners(port) <= LOOPBACK
    assert owned(engine) == 0


_OPENS = """
import time
from ringback_local.engine import owner
from ringback_local.postgres import open_postgres
with open_postgres(own=True):
    print(owner(), flush=True)
    time.sleep(600)
"""


def test_nothing_is_left_of_a_process_that_was_killed(engine: docker.DockerClient) -> None:
    """SIGKILL gives it no time for its own tidying."""
    with subprocess.Popen([sys.executable, "-c", _OPENS], stdout=subprocess.PIPE, text=True) as opening:
        assert opening.stdout is not None
        killed = opening.stdout.readline().strip()
        assert owned(engine, killed) == 1
        opening.kill()
    deadline = time.monotonic() + 30
    while owned(engine, killed):
        assert time.monotonic() < deadline, "a container outlives its process"
        time.sleep(0.2)


def test_no_engine_is_one_sentence_and_exit_code_2() -> None:
    """Of `ringback-local engine`, with which make begins."""
    command = [str(Path(sys.executable).parent / "ringback-local"), "engine"]
    environment = {"DOCKER_HOST": "unix:///nowhere/engine.sock", "PATH": "/usr/bin:/bin"}
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr == (
        "No Docker engine answers at unix:///nowhere/engine.sock: start one, or name another with DOCKER_HOST.\n"
    )
