"""Microsoft's hosts have public addresses: a name server that says otherwise is lying or wrong, and gets no token.

Only for the hosts of `CLOUDS`: what an operator writes into the tenants file may be anywhere, and through a proxy it is
the proxy that resolves.
"""

from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from requests.adapters import HTTPAdapter
from ringback_common import logs
from urllib3 import HTTPSConnectionPool
from urllib3.connection import HTTPSConnection
from urllib3.exceptions import NewConnectionError

from ringback_graph.tenants import CLOUDS

__all__ = ["PUBLIC_HOSTS", "PublicAdapter", "PublicResolver", "is_public"]

log = logs.logger(__name__)

PUBLIC_HOSTS = frozenset(urlsplit(origin).netloc for origins in CLOUDS.values() for origin in origins)


def is_public(address: str) -> bool:
    """Whether an IP address, whatever its form, is one of the open internet."""
    found = ip_address(address)
    return found.is_global and not found.is_multicast


def _told() -> str:
    log.error(
        "A host of Microsoft's clouds has no public address by our name server; nothing is sent there."
        " If requests must go through a proxy, name it in RINGBACK_GRAPH__PROXY."
    )
    return "no public address"


class PublicResolver(AbstractResolver):
    """aiohttp's resolver, without the private addresses of public hosts."""

    def __init__(self, resolver: AbstractResolver | None = None) -> None:
        self._resolver = resolver or aiohttp.ThreadedResolver()

    async def resolve(self, host: str, port: int = 0, family: Any = 0) -> list[ResolveResult]:
        """As aiohttp's. Raises OSError if a public host has no public address."""
        found = await self._resolver.resolve(host, port, family)
        if host.lower() not in PUBLIC_HOSTS:
            return found
        public = [each for each in found if is_public(each["host"])]
        if not public:
            raise OSError(_told())
        return public

    async def close(self) -> None:
        """Close the resolver behind it."""
        await self._resolver.close()


class _PublicConnection(HTTPSConnection):
    """Looks at the address it has really reached, after the handshake and before the request."""

    def connect(self) -> None:
        super().connect()
        if self.sock is None or not is_public(self.sock.getpeername()[0]):
            self.close()
            raise NewConnectionError(self, _told())


class _PublicPool(HTTPSConnectionPool):
    ConnectionCls = _PublicConnection  # pyright: ignore[reportAssignmentType] - urllib3 types its own class so, too


class PublicAdapter(HTTPAdapter):
    """The same for requests: mount it on the public hosts, and only where no proxy stands between."""

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        """As requests', with connections that look where they lead."""
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = {**self.poolmanager.pool_classes_by_scheme, "https": _PublicPool}
