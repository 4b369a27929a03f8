"""PostgreSQL in a container, for a machine with a Docker engine."""

import secrets
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from functools import partial

from ringback_local.engine import own_container
from ringback_local.owned import OwnContainer
from ringback_local.postgres.server import accepts

__all__ = ["open_container_server"]

POSTGRES_IMAGE = "postgres:18"


@contextmanager
def open_container_server(port: int, settings: Mapping[str, str]) -> Generator[OwnContainer]:
    """Yield a running server on this port, removed with its data afterwards; raises StartFailed."""
    options = {"fsync": "off", **settings, "port": str(port), "listen_addresses": "127.0.0.1"}
    container = (
        own_container(POSTGRES_IMAGE)
        .with_env("POSTGRES_HOST_AUTH_METHOD", "trust")
        .with_env("POSTGRES_PASSWORD", secrets.token_hex())  # asked for and, with trust, of no use
        .with_command(["postgres", *(f"-c{name}={value}" for name, value in options.items())])
    )
    server = OwnContainer(container, partial(accepts, port))
    try:
        server.start()
        yield server
    finally:
        server.remove()
