"""A broker's server.properties: one machine, KRaft, broker and controller in one process. Pure."""

import base64
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Listener", "NodeAddress", "cluster_id", "render", "server_properties"]


@dataclass(frozen=True)
class Listener:
    """A further door of a node, on the loopback address: a client that connects there is sent to `advertised`.

    Attributes:
        name: capitals.
        advertised: host and port of something that leads back to `port`.
    """

    name: str
    port: int
    advertised: tuple[str, int]


@dataclass(frozen=True)
class NodeAddress:
    """Where one node of a cluster listens on the loopback address."""

    node_id: int
    port: int
    controller_port: int
    further: tuple[Listener, ...] = ()


def cluster_id(value: uuid.UUID) -> str:
    """A cluster id as Kafka writes it: the UUID's 16 bytes in unpadded URL-safe base64."""
    return base64.urlsafe_b64encode(value.bytes).rstrip(b"=").decode()


def server_properties(
    node: NodeAddress, cluster: list[NodeAddress], data: Path, extra: Mapping[str, str]
) -> dict[str, str]:
    """All properties of one node; `extra` wins over everything."""
    replicas = min(3, len(cluster))
    return {
        "process.roles": "broker,controller",
        "node.id": str(node.node_id),
        **_listeners(node),
        "controller.quorum.voters": ",".join(f"{n.node_id}@127.0.0.1:{n.controller_port}" for n in cluster),
        "log.dirs": str(data),
        **_replication(replicas),
        **_FOR_ONE_MACHINE,
        **extra,
    }


def _listeners(node: NodeAddress) -> dict[str, str]:
    own = f"PLAINTEXT://127.0.0.1:{node.port}"
    bound = [own, *(f"{each.name}://127.0.0.1:{each.port}" for each in node.further)]
    advertised = [own, *("{}://{}:{}".format(each.name, *each.advertised) for each in node.further)]
    names = ["PLAINTEXT", "CONTROLLER", *(each.name for each in node.further)]
    return {
        "listeners": ",".join([*bound, f"CONTROLLER://127.0.0.1:{node.controller_port}"]),
        "advertised.listeners": ",".join(advertised),
        "controller.listener.names": "CONTROLLER",
        "inter.broker.listener.name": "PLAINTEXT",
        "listener.security.protocol.map": ",".join(f"{name}:PLAINTEXT" for name in names),
    }


def _replication(replicas: int) -> dict[str, str]:
    """Internal topics survive one node's death where there are three."""
    in_sync = str(max(1, replicas - 1))
    count = str(replicas)
    return {
        "default.replication.factor": count,
        "min.insync.replicas": in_sync,
        "offsets.topic.replication.factor": count,
        "transaction.state.log.replication.factor": count,
        "transaction.state.log.min.isr": in_sync,
        "share.coordinator.state.topic.replication.factor": count,
        "share.coordinator.state.topic.min.isr": in_sync,
    }


_FOR_ONE_MACHINE = {
    "auto.create.topics.enable": "false",  # as in production: a missing topic is a mistake
    "group.initial.rebalance.delay.ms": "0",  # no other member is about to join
    "group.min.session.timeout.ms": "1000",  # tests of lost members need not wait 6 s
    "offsets.topic.num.partitions": "4",
    "broker.session.timeout.ms": "6000",  # a killed broker may come back as soon as this is over
    "log.index.size.max.bytes": "1048576",  # hundreds of short-lived partitions, each with two mapped indexes
    "log.segment.delete.delay.ms": "1000",
    "log.cleaner.dedupe.buffer.size": "16777216",  # instead of 128 MiB of heap
    "num.network.threads": "2",
    "num.io.threads": "4",
}


def render(properties: Mapping[str, str]) -> str:
    """The text of a Java properties file."""
    return "".join(f"{name}={_escaped(value)}\n" for name, value in properties.items())


def _escaped(value: str) -> str:
    """A backslash begins an escape in a properties file."""
    return value.replace("\\", "\\\\")
