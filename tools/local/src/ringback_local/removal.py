"""Wait for the end of standard input, then remove every container with a label: `removal.py NAME=VALUE`.

Run as a file by `ringback_local.engine`, never imported. The pipe ends when the process that wrote to it has ended.
"""

import sys
import time

import docker
from docker.errors import DockerException

_PASSES, _PAUSE_S = 3, 2.0
"""A container that was just being made when its owner was killed shows a moment later."""


def main() -> None:
    """Block until the owner has ended, then remove."""
    sys.stdin.buffer.read()
    for _ in range(_PASSES):
        remove(sys.argv[1])
        time.sleep(_PAUSE_S)


def remove(label: str) -> None:
    """Every container with the label, running or not, and its volumes; an engine that is gone has none."""
    try:
        client = docker.from_env()
        for container in client.containers.list(all=True, filters={"label": label}):
            container.remove(force=True, v=True)
    except DockerException:
        return


if __name__ == "__main__":
    main()
