"""One Kafka node from its jars, as a Java process of ours."""

import os
import subprocess
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from struct import Struct

from ringback_local.java import java_command
from ringback_local.kafka.properties import render
from ringback_local.owned import OwnProcess
from ringback_local.servers import StartFailed, ask

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


class JarNode(OwnProcess):
    """A node with data of its own, which outlive its process."""

    def __init__(
        self, port: int, jars: Path, folder: Path, properties: Mapping[str, str], *, lasting: bool = False
    ) -> None:
        self._port = port
        self._jars = jars
        self._folder = folder
        (folder / "tmp").mkdir(parents=True)
        self._properties = folder / "server.properties"
        self._properties.write_text(render(properties))
        quick = [] if lasting else [_COMPILED_ONCE]
        command = [*self._java(), *quick, "-Xmx512m", "kafka.Kafka", str(self._properties)]
        super().__init__(f"kafka on port {port}", command, os.environ, folder / "server.log")

    def answers(self) -> bool:
        """Whether it processes requests and knows a controller."""
        return answers(self._port)

    def stop(self, timeout: float = 30.0) -> int | None:
        """An orderly stop; the exit code."""
        return super().stop(timeout)

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
