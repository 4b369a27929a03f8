"""A PostgreSQL: our own, in a container, or a given one."""

import struct

from ringback_local.owned import OwnServer, OwnServers
from ringback_local.servers import ask

__all__ = ["Postgres", "accepts"]

_PROTOCOL_3 = 196_608


class Postgres(OwnServers):
    """A PostgreSQL to test or to run against. Data and port are kept when it dies and starts again."""

    def __init__(self, dsn: str, *servers: OwnServer) -> None:
        super().__init__("PostgreSQL", servers)
        self.dsn = dsn


def accepts(port: int) -> bool:
    """Whether a server on this port lets `postgres` in: it answers a startup message with R, or E while it starts."""
    body = struct.pack("!i", _PROTOCOL_3) + b"user\0postgres\0database\0postgres\0\0"
    return ask(port, struct.pack("!i", len(body) + 4) + body, 1) == b"R"
