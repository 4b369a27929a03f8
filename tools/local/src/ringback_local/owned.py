"""A server that we run, as a process or in a container, and several of them together: started, ended, frozen."""

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Any

from testcontainers.core.container import DockerContainer

from ringback_local.child import Child
from ringback_local.servers import NotOurs, StartFailed, wait_until

__all__ = ["OwnContainer", "OwnProcess", "OwnServer", "OwnServers"]


class OwnProcess(Child, ABC):
    """A server as a child of ours; its port and its data outlive its process."""

    @abstractmethod
    def answers(self) -> bool:
        """Whether it serves clients."""

    def wait_ready(self, timeout: float) -> None:
        """Wait until it serves clients; raises StartFailed."""
        wait_until(self.answers, self, timeout)

    def start(self, timeout: float = 60.0) -> None:
        """Start, and return when it serves clients; raises StartFailed."""
        self.spawn()
        self.wait_ready(timeout)


class OwnContainer:
    """A server in a container, for a machine with a Docker engine; its data live as long as the container."""

    def __init__(self, container: DockerContainer, answers: Callable[[], bool]) -> None:
        self._container = container
        self._answers = answers
        self._created = False

    @property
    def pid(self) -> int:
        """The process id as the engine's host sees it."""
        return int(self._engine().attrs["State"]["Pid"])

    @property
    def running(self) -> bool:
        """Whether its container was started and has not ended."""
        return self._created and self._engine().status in {"running", "paused"}

    def spawn(self) -> None:
        """Start the container without waiting for the server."""
        if self._created:
            self._engine().start()
        else:
            self._container.start()
            self._created = True

    def wait_ready(self, timeout: float) -> None:
        """Wait until it serves clients; raises StartFailed."""
        deadline = time.monotonic() + timeout
        while not self._answers():
            if time.monotonic() > deadline:
                raise StartFailed(f"the container of {self._container.image} did not answer within {timeout:.0f} s")
            time.sleep(0.1)

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

    def start(self, timeout: float = 60.0) -> None:
        """Start, and return when it serves clients; raises StartFailed."""
        self.spawn()
        self.wait_ready(timeout)

    def remove(self) -> None:
        """Remove the container and its data."""
        if self._created:
            self._container.stop()

    def _engine(self) -> Any:  # the docker package ships no types
        """The container as the engine has it now."""
        engine: Any = self._container.get_wrapped_container()
        engine.reload()
        return engine


OwnServer = OwnProcess | OwnContainer


class OwnServers:
    """Servers that are used together, none if they are not ours; all but `owned` raise NotOurs then."""

    def __init__(self, name: str, servers: Sequence[OwnServer]) -> None:
        self._name = name
        self._servers = tuple(servers)

    @property
    def owned(self) -> bool:
        """Whether we run them."""
        return bool(self._servers)

    @property
    def nodes(self) -> tuple[OwnServer, ...]:
        """Each of them, for faults of a single one."""
        if not self._servers:
            raise NotOurs(f"the {self._name} is not run by us")
        return self._servers

    @property
    def pid(self) -> int:
        """The first one's process id."""
        return self.nodes[0].pid

    @property
    def running(self) -> bool:
        """Whether all were started and none has ended."""
        return all(node.running for node in self.nodes)

    def start(self, timeout: float = 60.0) -> None:
        """Start all at once and return when each serves clients; raises StartFailed."""
        for node in self.nodes:
            node.spawn()
        for node in self.nodes:
            node.wait_ready(timeout)

    def stop(self) -> None:
        """Stop all in order."""
        for node in self.nodes:
            node.stop()

    def kill(self) -> None:
        """Kill all."""
        for node in self.nodes:
            node.kill()

    def pause(self) -> None:
        """Freeze all."""
        for node in self.nodes:
            node.pause()

    def resume(self) -> None:
        """Thaw all."""
        for node in self.nodes:
            node.resume()
