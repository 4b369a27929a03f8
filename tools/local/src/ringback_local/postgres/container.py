"""PostgreSQL in a container, for a machine with a Docker engine."""

from collections.abc import Generator, Mapping
from contextlib import contextmanager
from functools import partial

from testcontainers.core.container import DockerContainer

from ringback_local.owned import OwnContainer
from ringback_local.postgres.server import accepts

__all__ = ["open_container_server"]

POSTGRES_IMAGE = "postgres:18"


@contextmanager
def open_container_server(port: int, settings: Mapping[str, str]) -> Generator[OwnContainer]:
    """Yield a running server on this port, removed with its data afterwards; raises StartFailed."""
    command = ["postgres", *(f"-c{name}={value}" for name, value in {"fsync": "off", **settings}.items())]
    container = DockerContainer(POSTGRES_IMAGE).with_env("POSTGRES_HOST_AUTH_METHOD", "trust")
    server = OwnContainer(container.with_bind_ports(5432, port).with_command(command), partial(accepts, port))
    try:
        server.start()
        yield server
    finally:
        server.remove()
