"""The server.properties of one node or three."""

import uuid
from pathlib import Path

from ringback_local.kafka.properties import Listener, NodeAddress, cluster_id, render, server_properties

ONE = [NodeAddress(1, 18001, 18002)]
THREE = [NodeAddress(1, 18001, 18002), NodeAddress(2, 18003, 18004), NodeAddress(3, 18005, 18006)]


def test_three_nodes_vote_together_and_replicate_with_two_in_sync() -> None:
    """Each node knows all voters; internal topics survive the death of one."""
    second = server_properties(THREE[1], THREE, Path("/data"), {})
    assert second["node.id"] == "2"
    assert second["controller.quorum.voters"] == "1@127.0.0.1:18002,2@127.0.0.1:18004,3@127.0.0.1:18006"
    assert second["advertised.listeners"] == "PLAINTEXT://127.0.0.1:18003"
    assert (second["offsets.topic.replication.factor"], second["min.insync.replicas"]) == ("3", "2")


def test_one_node_asks_for_no_more_replicas_than_there_are() -> None:
    """With one node every internal topic has one replica, and nobody creates topics by accident."""
    only = server_properties(ONE[0], ONE, Path("/data"), {})
    assert {value for name, value in only.items() if "replication.factor" in name or "isr" in name} == {"1"}
    assert only["auto.create.topics.enable"] == "false"


def test_a_further_listener_is_bound_here_and_advertised_elsewhere() -> None:
    """Whoever comes in by that door is sent to the proxy before it; brokers and the rest use the ordinary one."""
    node = NodeAddress(1, 18001, 18002, (Listener("STORE", 18003, ("198.18.0.1", 18004)),))
    only = server_properties(node, [node], Path("/data"), {})
    assert "STORE://127.0.0.1:18003" in only["listeners"].split(",")
    assert only["advertised.listeners"] == "PLAINTEXT://127.0.0.1:18001,STORE://198.18.0.1:18004"
    assert "STORE:PLAINTEXT" in only["listener.security.protocol.map"].split(",")
    assert only["inter.broker.listener.name"] == "PLAINTEXT"


def test_extra_properties_win() -> None:
    """What a test asks for replaces what we would have said."""
    asked = {"message.max.bytes": "1024", "num.io.threads": "1"}
    assert server_properties(ONE[0], ONE, Path("/data"), asked).items() >= asked.items()


def test_a_backslash_survives_the_properties_file() -> None:
    """The file's own escape character is doubled."""
    assert render({"a": "b\\c", "d": "e"}) == "a=b\\\\c\nd=e\n"


def test_a_cluster_id_is_a_uuid_in_22_characters() -> None:
    """Kafka refuses an id of another length."""
    assert cluster_id(uuid.UUID(int=0xFB << 120)) == "-wAAAAAAAAAAAAAAAAAAAA"
