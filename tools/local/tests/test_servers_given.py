"""A Kafka or PostgreSQL that was named is used and left alone."""

import pytest
from ringback_local.kafka import Broker, NotOurs, open_broker
from ringback_local.kafka.containers import environment
from ringback_local.kafka.properties import NodeAddress
from ringback_local.postgres import Postgres, open_postgres


def test_a_named_kafka_is_taken_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is started, and nothing may be killed."""
    monkeypatch.setenv("RINGBACK_KAFKA__BOOTSTRAP_SERVERS", "kafka.example:9092")
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
    monkeypatch.setenv("RINGBACK_STORE__DSN", "postgresql://db.example/x")
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
