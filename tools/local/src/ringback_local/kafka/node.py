"""One Kafka node from its jars, as a Java process of ours."""

import os
import subprocess
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from struct import Struct

from ringback_local.child import Child
from ringback_local.java import java_command
from ringback_local.kafka.properties import render
from ringback_local.servers import StartFailed, ask, wait_until

__all__ = ["JarNode", "answers"]

_METADATA = bytes.fromhex("0000000e 0003 0001 00000001 ffff 00000000".replace(" ", ""))
"""Length 14, Metadata (3) version 1, correlation id 1, no client id, no topic."""
_LARGEST_REPLY = 4096
_LENGTH, _END = Struct(">i"), Struct(">ii")
"""A reply begins with the length of what follows; this one ends with the controller's id, -1 if none, and no topic."""

_COMPILED_ONCE = "-XX:TieredStopAtLevel=1"
"""Java's quick compiler alone: a broker that lives for minutes takes half the CPU time (6.8 instead of 12.2 s for a
start and four times all topics of the contract)."""


def answers(port: int) -> bool:
    """Whether a broker on this port processes requests and knows a controller.

    It answers as soon as it is registered, but only after it has read the cluster's metadata does it name a controller,
    and without one no topic can be made.
    """
    reply = ask(port, _METADATA, _LARGEST_REPLY)
    if len(reply) < _LENGTH.size or len(reply) != _LENGTH.size + _LENGTH.unpack_from(reply)[0]:
        return False
    controller, topics = _END.unpack_from(reply, len(reply) - _END.size)
    return controller >= 0 and topics == 0


class JarNode:
    """A node with data of its own, which outlive its process."""

    def __init__(
        self, port: int, jars: Path, folder: Path, properties: Mapping[str, str], *, lasting: bool = False
    ) -> None:
        self.port = port
        self._jars = jars
        self._folder = folder
        (folder / "tmp").mkdir(parents=True)
        self._properties = folder / "server.properties"
        self._properties.write_text(render(properties))
        quick = [] if lasting else [_COMPILED_ONCE]
        command = [*self._java(), *quick, "-Xmx512m", "kafka.Kafka", str(self._properties)]
        self._child = Child(f"kafka on port {port}", command, os.environ, folder / "server.log")

    @property
    def pid(self) -> int:
        """The broker's process id."""
        return self._child.pid

    @property
    def running(self) -> bool:
        """Whether its process was started and has not ended."""
        return self._child.running

    def format(self, cluster: str) -> None:
        """Prepare the empty data folder for a cluster of this id.

        Raises:
            StartFailed: the storage tool refused.
        """
        tool = [_COMPILED_ONCE, "kafka.tools.StorageTool", "format", f"--cluster-id={cluster}"]
        command = [*self._java(), *tool, "-c", str(self._properties)]
        answer = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
        if answer.returncode != 0:
            raise StartFailed(f"kafka's storage tool failed:\n{answer.stdout[-1000:]}{answer.stderr[-1000:]}")

    def spawn(self) -> None:
        """Start without waiting; nodes of a cluster wait for each other."""
        self._child.spawn()

    def wait_ready(self, timeout: float) -> None:
        """Wait until it serves clients; raises StartFailed."""
        wait_until(lambda: answers(self.port), self._child, timeout)

    def start(self, timeout: float = 60.0) -> None:
        """Start, and return when it serves clients; raises StartFailed."""
        self.spawn()
        self.wait_ready(timeout)

    def stop(self) -> None:
        """An orderly stop."""
        self._child.stop(timeout=30)

    def kill(self) -> None:
        """SIGKILL."""
        self._child.kill()

    def pause(self) -> None:
        """SIGSTOP: connections stay open, nothing answers."""
        self._child.pause()

    def resume(self) -> None:
        """SIGCONT."""
        self._child.resume()

    def _java(self) -> list[str]:
        """Java with Kafka's classes.

        Zstd and snappy unpack native code into the temporary folder and run it; many machines mount /tmp without the
        right to, so the node has a folder of its own.
        """
        logging = files("ringback_local.kafka").joinpath("log4j2.properties")
        return [
            java_command(),
            "-cp",
            f"{self._jars}/*",
            f"-Djava.io.tmpdir={self._folder / 'tmp'}",
            f"-Dlog4j2.configurationFile={logging}",
            "-XX:+UseG1GC",
        ]
