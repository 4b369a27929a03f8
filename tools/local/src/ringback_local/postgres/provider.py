"""Open a PostgreSQL: one that was named, one from the wheel, or one in a container."""

import os
from collections.abc import Generator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from ringback_local import named
from ringback_local.choice import Machine, Provider, store_provider
from ringback_local.machine import look, prefers_docker
from ringback_local.owned import OwnServer
from ringback_local.ports import lease_ports
from ringback_local.postgres.container import open_container_server
from ringback_local.postgres.server import Postgres
from ringback_local.postgres.wheel import open_wheel_server

__all__ = ["open_postgres"]


@contextmanager
def open_postgres(
    settings: Mapping[str, str] | None = None, *, own: bool = False, folder: Path | None = None
) -> Generator[Postgres]:
    """Yield a PostgreSQL that accepts connections, and take it down afterwards if it is ours.

    Args:
        settings: server settings over the usual ones, e.g. `{"fsync": "on"}`; not for a server that was named.
        own: never take the one named in the environment, for tests that break it.
        folder: where a server from the wheel keeps its data; its user must be able to enter it.

    Raises:
        ConfigError: no PostgreSQL can be run here.
        StartFailed: it did not start.
    """
    dsn = "" if own else os.environ.get(named.POSTGRES, "")
    machine = Machine() if dsn else look()
    provider = store_provider(machine, given=bool(dsn), prefer_docker=prefers_docker())
    if provider is Provider.GIVEN:
        yield Postgres(dsn)
        return
    with lease_ports(1) as [port], _open_server(provider, port, settings or {}, folder) as server:
        yield Postgres(f"postgresql://postgres@127.0.0.1:{port}/postgres", server)


def _open_server(
    provider: Provider, port: int, settings: Mapping[str, str], folder: Path | None
) -> AbstractContextManager[OwnServer]:
    if provider is Provider.NATIVE:
        return open_wheel_server(port, settings, folder)
    return open_container_server(port, settings)
