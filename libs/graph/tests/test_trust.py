"""Whose certificates are trusted."""

import asyncio
from pathlib import Path

import certifi
import httpx
import pytest
from ringback_common.errors import ConfigError, UntrustedCertificate
from ringback_graph.auth import Granted
from ringback_graph.exchange import exchange
from ringback_graph.msal_source import MsalSource
from ringback_graph.settings import GraphSettings
from ringback_graph.tenants import Tenant
from ringback_graph.transport import AiohttpTransport
from ringback_graph.trust import authorities, trusted
from ringback_testing.https_server import Served, StartHttps, raw_response


async def test_graph_and_the_authority_trust_the_system_s_certificates(
    https: StartHttps, tenant: Tenant, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A company's CA in the system's store counts for both; taken out it counts for neither."""
    server = await https()
    server.answer = lambda seen: raw_response(200, _authority(server.url, seen))
    (tmp_path / "secret").write_text("s")
    ours = tenant.model_copy(update={"authority_url": server.url})
    monkeypatch.setenv("SSL_CERT_FILE", str(server.ca_file))
    assert await _status(server.url) == 200
    async with AiohttpTransport(GraphSettings()) as transport:
        assert await asyncio.to_thread(MsalSource(transport).acquire, ours) == Granted("planted-token", 60.0)
    monkeypatch.setenv("SSL_CERT_FILE", certifi.where())
    with pytest.raises(UntrustedCertificate, match="of Graph does not verify"):
        await _status(server.url)
    async with AiohttpTransport(GraphSettings()) as transport:
        with pytest.raises(UntrustedCertificate, match="of the authority does not verify"):
            await asyncio.to_thread(MsalSource(transport).acquire, ours)


async def _status(url: str) -> int:
    async with AiohttpTransport(GraphSettings()) as transport:
        return (await exchange(transport, httpx.Request("GET", f"{url}/v1.0/a"))).status


def _authority(url: str, seen: Served) -> bytes:
    if "POST" in seen.line:
        return b'{"token_type":"Bearer","expires_in":60,"access_token":"planted-token"}'
    found = b'{"issuer":"%s/t","authorization_endpoint":"%s/a","token_endpoint":"%s/token"}'
    return found % ((url.encode(),) * 3)


def test_the_setting_counts_first_then_the_system_then_certifi(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file, a folder that holds something, or else the certificates that were installed with us."""
    (tmp_path / "store").mkdir()
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "none.pem"))
    monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path / "store"))
    assert authorities(GraphSettings()) == Path(certifi.where())
    assert trusted(GraphSettings()).cert_store_stats()["x509_ca"] > 50
    (tmp_path / "store" / "0a1b2c3d.0").touch()
    assert authorities(GraphSettings()) == tmp_path / "store"
    trusted(GraphSettings())
    (tmp_path / "system.pem").touch()
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "system.pem"))
    assert authorities(GraphSettings()) == tmp_path / "system.pem"
    assert authorities(GraphSettings(cafile=Path("/ours.pem"))) == Path("/ours.pem")


def test_an_unusable_ca_file_is_a_setting_mistake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One sentence that names the setting, or the variable."""
    (tmp_path / "empty.pem").write_text("nothing")
    for path in (tmp_path / "none.pem", tmp_path / "empty.pem"):
        with pytest.raises(ConfigError, match="RINGBACK_GRAPH__CAFILE"):
            trusted(GraphSettings(cafile=path))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "empty.pem"))
    with pytest.raises(ConfigError, match="SSL_CERT_FILE"):
        trusted(GraphSettings())
