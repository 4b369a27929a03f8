"""Kafka nodes in containers of Apache's own image, for a machine with a Docker engine."""

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from testcontainers.core.container import DockerContainer

from ringback_local.kafka.node import answers
from ringback_local.kafka.properties import NodeAddress, server_properties
from ringback_local.servers import StartFailed

__all__ = ["KAFKA_IMAGE", "ContainerNode", "container_nodes"]

KAFKA_IMAGE = "apache/kafka:4.3.1"


def container_nodes(cluster: list[NodeAddress], identity: str, properties: Mapping[str, str]) -> list["ContainerNode"]:
    """The nodes of a cluster, each sharing the host's network so that one address serves inside and outside."""
    return [ContainerNode(node, environment(node, cluster, identity, properties)) for node in cluster]


def environment(
    node: NodeAddress, cluster: list[NodeAddress], identity: str, properties: Mapping[str, str]
) -> dict[str, str]:
    """The image's variables: `KAFKA_` and the property in capitals, with `_` for `.`."""
    data = Path("/tmp/kafka-data")  # noqa: S108 - inside the container
    settings = server_properties(node, cluster, data, properties)
    variables = {f"KAFKA_{name.upper().replace('.', '_')}": value for name, value in settings.items()}
    return {"CLUSTER_ID": identity, **variables}


class ContainerNode:
    """A node in a container; its data live as long as the container, over kills and starts."""

    def __init__(self, node: NodeAddress, variables: Mapping[str, str]) -> None:
        self._port = node.port
        self._container = DockerContainer(KAFKA_IMAGE).with_kwargs(network_mode="host")
        for name, value in variables.items():
            self._container.with_env(name, value)
        self._created = False

    @property
    def pid(self) -> int:
        """The broker's process id as the engine's host sees it."""
        engine = self._engine()
        engine.reload()
        return int(engine.attrs["State"]["Pid"])

    @property
    def running(self) -> bool:
        """Whether its container was started and has not ended."""
        return self._created and self._running()

    def spawn(self) -> None:
        """Start the container without waiting for Kafka."""
        if self._created:
            self._engine().start()
        else:
            self._container.start()
            self._created = True

    def wait_ready(self, timeout: float) -> None:
        """Wait until it serves clients; raises StartFailed."""
        deadline = time.monotonic() + timeout
        while not answers(self._port):
            if time.monotonic() > deadline:
                raise StartFailed(f"the container of {KAFKA_IMAGE} did not answer within {timeout:.0f} s")
            time.sleep(0.1)

    def start(self, timeout: float = 60.0) -> None:
        """Start, and return when it serves clients; raises StartFailed."""
        self.spawn()
        self.wait_ready(timeout)

    def stop(self) -> None:
        """An orderly stop."""
        self._engine().stop(timeout=30)

    def kill(self) -> None:
        """SIGKILL, if it runs."""
        if self.running:
            self._engine().kill()

    def pause(self) -> None:
        """Freeze the container."""
        self._engine().pause()

    def resume(self) -> None:
        """Thaw the container."""
        self._engine().unpause()

    def remove(self) -> None:
        """Remove the container and its data."""
        if self._created:
            self._container.stop()

    def _running(self) -> bool:
        engine = self._engine()
        engine.reload()
        return engine.status in {"running", "paused"}

    def _engine(self) -> Any:  # the docker package ships no types
        return self._container.get_wrapped_container()
