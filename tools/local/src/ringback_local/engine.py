"""Containers of this process: they bear its label and are removed when it ends, however it ends.

testcontainers has a container of its own for that, Ryuk: one image more to fetch, with the engine's socket mounted.
Here it is a small process that waits for the end of a pipe, which the kernel closes for a process that was killed.
"""

import os
import sys
import uuid
from functools import cache
from pathlib import Path

from testcontainers.core.config import testcontainers_config
from testcontainers.core.container import DockerContainer

__all__ = ["OWNER", "own_container", "owner"]

OWNER = "dev.ringback.owner"


def own_container(image: str) -> DockerContainer:
    """A container of this image that shares the host's network, so that one loopback address serves inside and outside.

    Made, not started. It does not outlive this process.
    """
    testcontainers_config.ryuk_disabled = True
    return DockerContainer(image).with_kwargs(network_mode="host", labels={OWNER: owner()})


@cache
def owner() -> str:
    """The label's value for this process, after the process was started that removes what bears it."""
    identity = uuid.uuid4().hex
    reading, _writing = os.pipe()  # no child inherits it, and it is never closed: our end closes it
    command = [sys.executable, str(Path(__file__).with_name("removal.py")), f"{OWNER}={identity}"]
    nowhere = [(os.POSIX_SPAWN_OPEN, number, os.devnull, os.O_WRONLY, 0) for number in (1, 2)]
    # A session of its own: what is sent to the terminal's processes, such as Ctrl-C, is not for it.
    os.posix_spawn(
        command[0], command, os.environ, file_actions=[(os.POSIX_SPAWN_DUP2, reading, 0), *nowhere], setsid=True
    )
    os.close(reading)
    return identity
