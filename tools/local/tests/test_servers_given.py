"""A Kafka or PostgreSQL that was named for this purpose is used and left alone; one of production is not even used."""

import importlib.util
import os
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import pytest
from ringback_common.errors import ConfigError
from ringback_local import named
from ringback_local.__main__ import main
from ringback_local.folders import KAFKA_POM
from ringback_local.kafka import Broker, NotOurs, open_broker
from ringback_local.kafka.containers import environment
from ringback_local.kafka.properties import NodeAddress
from ringback_local.postgres import Postgres, open_postgres

ROOT = KAFKA_POM.parents[2]


def test_a_named_kafka_is_taken_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is started, and nothing may be killed."""
    monkeypatch.setenv("RINGBACK_LOCAL_KAFKA", "kafka.example:9092")
    with open_broker(nodes=3) as broker:
        assert broker.bootstrap_servers == "kafka.example:9092"
        assert not broker.owned


@pytest.mark.parametrize("act", ["start", "stop", "kill", "pause", "resume"])
def test_what_others_run_is_not_ours_to_break(act: str) -> None:
    """Each act on a server of somebody else is refused."""
    for server in (Broker("kafka.example:9092"), Postgres("postgresql://db.example/x")):
        with pytest.raises(NotOurs):
            getattr(server, act)()


def test_a_named_store_is_taken_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is started."""
    monkeypatch.setenv("RINGBACK_LOCAL_POSTGRES", "postgresql://db.example/x")
    with open_postgres() as postgres:
        assert postgres.dsn == "postgresql://db.example/x"
        assert not postgres.owned


def test_a_container_is_told_the_same_properties_as_a_process() -> None:
    """Apache's image reads a property from KAFKA_ and its name in capitals, with _ for a dot."""
    node = NodeAddress(1, 18001, 18002)
    variables = environment(node, [node], "abc", {"message.max.bytes": "7"})
    assert variables["CLUSTER_ID"] == "abc"
    assert variables["KAFKA_MESSAGE_MAX_BYTES"] == "7"
    assert variables["KAFKA_ADVERTISED_LISTENERS"] == "PLAINTEXT://127.0.0.1:18001"
    assert variables["KAFKA_CONTROLLER_QUORUM_VOTERS"] == "1@127.0.0.1:18002"


PRODUCTION = {
    "RINGBACK_KAFKA__BOOTSTRAP_SERVERS": "kafka.example:9092",
    "RINGBACK_STORE__DSN": "postgresql://app:hush@db.example/ringback",
}


def _found_nothing(_: str) -> None:
    """No package is installed."""


@pytest.mark.parametrize("opening", [open_broker, open_postgres])
def test_what_production_is_told_is_not_asked(
    opening: Callable[[], AbstractContextManager[object]], bare_machine: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A shell in which the settings of a service are exported: the machine's own servers are wanted, and missing."""
    for name, value in PRODUCTION.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(importlib.util, "find_spec", _found_nothing)
    with pytest.raises(ConfigError, match="can be run here: set RINGBACK_LOCAL_"), opening():
        pass


def test_what_is_left_out_is_said_by_name_and_never_by_value() -> None:
    """Who meant that Kafka to be used reads how to name it; a connection string is not repeated."""
    said = named.left_out({**PRODUCTION, "RINGBACK_LOCAL": "docker", "PATH": "/bin"})
    assert said is not None
    assert all(name in said for name in (*PRODUCTION, "RINGBACK_LOCAL_KAFKA", "RINGBACK_LOCAL_POSTGRES"))
    assert "RINGBACK_LOCAL," not in said
    assert "hush" not in said
    assert named.left_out({"RINGBACK_LOCAL_KAFKA": "k:9092", "HOME": "/root"}) is None


def test_who_starts_a_stack_is_told_what_was_left_out(
    bare_machine: None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Before anything is started, or refused for want of Java as here."""
    for name, value in PRODUCTION.items():
        monkeypatch.setenv(name, value)
    assert main(["up"]) == 2
    reported, refusal = capsys.readouterr().err.splitlines()
    assert reported == named.left_out(PRODUCTION)
    assert refusal.startswith("No Kafka can be run here")


def test_no_test_is_told_what_production_is(pytestconfig: pytest.Config, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before the first test of a run the settings of services are taken out of its environment; ours stay."""
    for name, value in PRODUCTION.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("RINGBACK_LOCAL", "native")
    whole_run: Any = pytestconfig.pluginmanager.get_plugin(str(ROOT / "conftest.py"))
    whole_run.pytest_configure(pytestconfig)
    assert named.foreign(os.environ) == []
    assert os.environ["RINGBACK_LOCAL"] == "native"
