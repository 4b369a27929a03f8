"""Refuses private addresses for Microsoft's hosts: a name server that gives one is wrong or hostile.

It applies to the hosts of `CLOUDS` only: a host that an operator names in the tenants file may be anywhere, and where a
proxy is configured the proxy resolves names.
"""

from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from ringback_common import logs

from ringback_graph.tenants import CLOUDS

__all__ = ["PUBLIC_HOSTS", "PublicResolver", "is_public"]

log = logs.logger(__name__)

PUBLIC_HOSTS = frozenset(urlsplit(origin).netloc for origins in CLOUDS.values() for origin in origins)


def is_public(address: str) -> bool:
    """Whether an IP address, whatever its form, is one of the open internet."""
    found = ip_address(address)
    return found.is_global and not found.is_multicast


def _logged() -> str:
    """Log the finding; returns the error's text."""
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
            raise OSError(_logged())
        return public

    async def close(self) -> None:
        """Close the resolver behind it."""
        await self._resolver.close()
