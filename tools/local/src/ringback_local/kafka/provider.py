"""Open a Kafka: one that was named, one from jars, or one in containers."""

import os
import uuid
from collections.abc import Generator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from ringback_local import named
from ringback_local.choice import Machine, Provider, broker_provider
from ringback_local.folders import scratch_folder
from ringback_local.kafka.broker import Broker
from ringback_local.kafka.containers import container_nodes
from ringback_local.kafka.jars import fetch_jars
from ringback_local.kafka.node import JarNode
from ringback_local.kafka.properties import Listener, NodeAddress, cluster_id, server_properties
from ringback_local.machine import look, prefers_docker
from ringback_local.ports import lease_ports

__all__ = ["open_broker"]

_START_SECONDS = 180.0
"""Some eight on a quiet machine; on one that runs several installations at once it has taken a minute."""


@contextmanager
def open_broker(
    nodes: int = 1,
    properties: Mapping[str, str] | None = None,
    *,
    own: bool = False,
    lasting: bool = False,
    listeners: Sequence[Listener] = (),
    folder: Path | None = None,
) -> Generator[Broker]:
    """Yield a Kafka that answers, and take it down afterwards if it is ours.

    Args:
        nodes: how many brokers; a Kafka named in the environment is taken as it is.
        properties: server properties over the usual ones; not for a Kafka named in the environment.
        own: never take the one named in the environment, for tests that break it.
        lasting: whether Java optimises what is hot, which pays after minutes under load and costs until then.
        listeners: further doors of the first node of a Kafka of ours.
        folder: where a Kafka from jars keeps its data; else below `.local/`.

    Raises:
        ConfigError: no Kafka can be run here.
        StartFailed: it did not start.
    """
    address = "" if own else os.environ.get(named.KAFKA, "")
    machine = Machine() if address else look()
    match broker_provider(machine, given=bool(address), prefer_docker=prefers_docker()):
        case Provider.GIVEN:
            yield Broker(address)
        case Provider.NATIVE:
            with _from_jars(nodes, properties or {}, tuple(listeners), folder, lasting=lasting) as broker:
                yield broker
        case Provider.DOCKER:
            with _in_containers(nodes, properties or {}, tuple(listeners)) as broker:
                yield broker


@contextmanager
def _from_jars(
    nodes: int, properties: Mapping[str, str], listeners: tuple[Listener, ...], parent: Path | None, *, lasting: bool
) -> Generator[Broker]:
    jars = fetch_jars()
    with scratch_folder("kafka", parent) as folder, lease_ports(2 * nodes) as ports:
        cluster = _cluster(ports, listeners)
        members: list[JarNode] = []
        for address in cluster:
            home = folder / str(address.node_id)
            settings = server_properties(address, cluster, home / "data", properties)
            members.append(JarNode(address.port, jars, home, settings, lasting=lasting))
        identity = cluster_id(uuid.uuid4())
        with ThreadPoolExecutor() as formatting:  # a Java each, which takes seconds and none of our time
            list(formatting.map(JarNode.format, members, [identity] * nodes))
        with _running(Broker(_bootstrap(cluster), members)) as broker:
            yield broker


@contextmanager
def _in_containers(nodes: int, properties: Mapping[str, str], listeners: tuple[Listener, ...]) -> Generator[Broker]:
    with lease_ports(2 * nodes) as ports:
        cluster = _cluster(ports, listeners)
        members = container_nodes(cluster, cluster_id(uuid.uuid4()), properties)
        try:
            with _running(Broker(_bootstrap(cluster), members)) as broker:
                yield broker
        finally:
            for member in members:
                member.remove()


@contextmanager
def _running(broker: Broker) -> Generator[Broker]:
    try:
        broker.start(_START_SECONDS)
        yield broker
    finally:
        broker.kill()  # its data are thrown away next, so an orderly stop would only take time


def _cluster(ports: Sequence[int], listeners: tuple[Listener, ...]) -> list[NodeAddress]:
    pairs = enumerate(zip(ports[::2], ports[1::2], strict=True), start=1)
    return [NodeAddress(number, *pair, further=listeners if number == 1 else ()) for number, pair in pairs]


def _bootstrap(cluster: list[NodeAddress]) -> str:
    return ",".join(f"127.0.0.1:{node.port}" for node in cluster)
