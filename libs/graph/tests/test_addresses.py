"""Where names may lead."""

import asyncio
import socket
from pathlib import Path
from typing import Any

import httpx
import pytest
from aiohttp.abc import AbstractResolver, ResolveResult
from ringback_common.errors import Transient
from ringback_graph import addresses
from ringback_graph.addresses import PublicResolver, is_public
from ringback_graph.auth import Granted
from ringback_graph.exchange import exchange
from ringback_graph.msal_source import MsalSource
from ringback_graph.settings import GraphSettings
from ringback_graph.tenants import CLOUDS, Tenant
from ringback_graph.transport import AiohttpTransport
from ringback_testing.https_server import StartHttps, raw_response

PRIVATE = ["10.0.0.1", "127.0.0.1", "169.254.169.254", "192.168.1.1", "100.64.0.1", "0.0.0.0", "224.0.0.1"]  # noqa: S104 - an answer of a name server
PRIVATE_6 = ["::1", "fe80::1%eth0", "fd00::1", "::ffff:10.0.0.1"]


class Names(AbstractResolver):
    """A name server that says the same of every name."""

    def __init__(self, *found: str) -> None:
        self.found = found

    async def resolve(self, host: str, port: int = 0, family: Any = socket.AF_INET) -> list[ResolveResult]:
        """Every address."""
        return [
            ResolveResult(hostname=host, host=each, port=port, family=family, proto=0, flags=0) for each in self.found
        ]

    async def close(self) -> None:
        """Nothing to close."""


@pytest.mark.parametrize("address", [*PRIVATE, *PRIVATE_6])
async def test_a_private_address_of_a_public_host_is_refused(address: str) -> None:
    """Alone it is an error; beside a public one it is left out; any other host may have it."""
    assert not is_public(address)
    for host in ("graph.microsoft.com", "login.microsoftonline.us", "DoD-Graph.Microsoft.US"):
        with pytest.raises(OSError, match="no public address"):
            await PublicResolver(Names(address)).resolve(host, 443)
        kept = await PublicResolver(Names(address, "20.190.128.1")).resolve(host, 443)
        assert [each["host"] for each in kept] == ["20.190.128.1"]
    assert len(await PublicResolver(Names(address)).resolve("graph.example.com", 443)) == 1


def test_every_cloud_s_hosts_are_public() -> None:
    """No cloud is forgotten when one is added."""
    assert all(origin.removeprefix("https://") in addresses.PUBLIC_HOSTS for pair in CLOUDS.values() for origin in pair)


async def test_graph_s_transport_sends_nothing_to_a_private_address_of_a_public_host(
    https: StartHttps, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The rule is wired into the connections: were localhost Microsoft's, it would get no request."""
    server = await https()
    server.answer = lambda _: raw_response(200, b"{}")
    for hosts, served in ((frozenset[str](), 1), (frozenset({"localhost"}), 1)):
        monkeypatch.setattr(addresses, "PUBLIC_HOSTS", hosts)
        async with AiohttpTransport(GraphSettings(cafile=server.ca_file)) as transport:
            sending = exchange(transport, httpx.Request("GET", f"{server.url}/v1.0/a"))
            if hosts:
                with pytest.raises(Transient):
                    await sending
            else:
                await sending
        assert len(server.seen) == served


async def test_the_authority_s_connection_sends_nothing_to_a_private_address(
    https: StartHttps, tenant: Tenant, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same for msal: no discovery and no secret."""
    server = await https()
    (tmp_path / "secret").write_text("s")
    found = b'{"issuer":"%s/t","authorization_endpoint":"%s/a","token_endpoint":"%s/token"}'
    token = b'{"token_type":"Bearer","expires_in":60,"access_token":"planted-token"}'
    server.answer = lambda seen: raw_response(
        200, token if "POST" in seen.line else found % ((server.url.encode(),) * 3)
    )
    ours = tenant.model_copy(update={"authority_url": server.url})
    settings = GraphSettings(cafile=server.ca_file)
    async with AiohttpTransport(settings) as transport:
        assert await asyncio.to_thread(MsalSource(transport).acquire, ours) == Granted("planted-token", 60.0)
    seen = len(server.seen)
    monkeypatch.setattr(addresses, "PUBLIC_HOSTS", frozenset({"localhost"}))
    async with AiohttpTransport(settings) as transport:
        with pytest.raises(Transient):
            await asyncio.to_thread(MsalSource(transport).acquire, ours)
    assert len(server.seen) == seen
