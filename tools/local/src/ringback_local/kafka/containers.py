"""Kafka nodes in containers of Apache's own image, for a machine with a Docker engine."""

from collections.abc import Mapping
from functools import partial
from pathlib import Path

from ringback_local.engine import own_container
from ringback_local.kafka.node import answers
from ringback_local.kafka.properties import NodeAddress, server_properties
from ringback_local.owned import OwnContainer

__all__ = ["container_nodes"]

KAFKA_IMAGE = "apache/kafka:4.3.1"


def container_nodes(cluster: list[NodeAddress], identity: str, properties: Mapping[str, str]) -> list[OwnContainer]:
    """The nodes of a cluster, one container each."""
    nodes: list[OwnContainer] = []
    for node in cluster:
        container = own_container(KAFKA_IMAGE)
        for name, value in environment(node, cluster, identity, properties).items():
            container.with_env(name, value)
        nodes.append(OwnContainer(container, partial(answers, node.port)))
    return nodes


def environment(
    node: NodeAddress, cluster: list[NodeAddress], identity: str, properties: Mapping[str, str]
) -> dict[str, str]:
    """The image's variables: `KAFKA_` and the property in capitals, with `_` for `.`."""
    data = Path("/tmp/kafka-data")  # noqa: S108 - inside the container
    settings = server_properties(node, cluster, data, properties)
    variables = {f"KAFKA_{name.upper().replace('.', '_')}": value for name, value in settings.items()}
    return {"CLUSTER_ID": identity, **variables}
