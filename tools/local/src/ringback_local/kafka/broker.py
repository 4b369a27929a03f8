"""A Kafka of one node or several, whoever runs it."""

from collections.abc import Sequence
from typing import Protocol

from ringback_local.servers import NotOurs

__all__ = ["Broker", "Node"]


class Node(Protocol):
    """One broker process, or container, of ours."""

    @property
    def pid(self) -> int:
        """Its process id."""
        ...

    @property
    def running(self) -> bool:
        """Whether it was started and has not ended."""
        ...

    def spawn(self) -> None:
        """Start without waiting."""
        ...

    def wait_ready(self, timeout: float) -> None:
        """Wait until it serves clients."""
        ...

    def start(self, timeout: float = ...) -> None:
        """Start, and return when it serves clients."""
        ...

    def stop(self) -> None:
        """An orderly stop."""
        ...

    def kill(self) -> None:
        """Sudden death."""
        ...

    def pause(self) -> None:
        """Freeze."""
        ...

    def resume(self) -> None:
        """Thaw."""
        ...


class Broker:
    """A Kafka to test or to run against. Data and ports are kept when its nodes die and start again."""

    def __init__(self, bootstrap_servers: str, nodes: Sequence[Node] = ()) -> None:
        self.bootstrap_servers = bootstrap_servers
        self._nodes = tuple(nodes)

    @property
    def owned(self) -> bool:
        """Whether we run it."""
        return bool(self._nodes)

    @property
    def nodes(self) -> tuple[Node, ...]:
        """Its nodes, for faults of a single one; raises NotOurs."""
        if not self._nodes:
            raise NotOurs(f"the Kafka at {self.bootstrap_servers} is not run by us")
        return self._nodes

    @property
    def pid(self) -> int:
        """The first node's process id; raises NotOurs."""
        return self.nodes[0].pid

    def start(self, timeout: float = 60.0) -> None:
        """Start all nodes at once and return when each serves clients."""
        for node in self.nodes:
            node.spawn()
        for node in self.nodes:
            node.wait_ready(timeout)

    def stop(self) -> None:
        """Stop all nodes in order."""
        for node in self.nodes:
            node.stop()

    def kill(self) -> None:
        """Kill all nodes."""
        for node in self.nodes:
            node.kill()

    def pause(self) -> None:
        """Freeze all nodes."""
        for node in self.nodes:
            node.pause()

    def resume(self) -> None:
        """Thaw all nodes."""
        for node in self.nodes:
            node.resume()
