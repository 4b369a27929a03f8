"""Tokens from an authority over https."""

import asyncio
import base64
import gzip
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import orjson
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import pkcs12
from cryptography.x509.oid import NameOID
from ringback_common.errors import Throttled, Transient
from ringback_common.scopes import Scope
from ringback_graph.answers import AuthFailed
from ringback_graph.auth import Granted
from ringback_graph.msal_source import MsalSource
from ringback_graph.settings import GraphSettings
from ringback_graph.tenants import Tenant
from ringback_graph.transport import AiohttpTransport
from ringback_testing.https_server import HttpsServer, Served, StartHttps, raw_response

Token = tuple[int, object] | tuple[int, object, dict[str, str]]
"""Status, JSON and headers of an answer; underscores of their names stand for hyphens."""


class Authority:
    """Discovery and tokens for one tenant; `token` decides what a token request gets."""

    def __init__(self, server: HttpsServer) -> None:
        self.server = server
        self.token: Token = (200, {"token_type": "Bearer", "expires_in": 3600, "access_token": "planted-token"})
        self.forms: list[dict[str, list[str]]] = []
        server.answer = self.answer

    def answer(self, seen: Served) -> bytes | None:
        """Serve one request."""
        if "openid-configuration" in seen.line:
            base = self.server.url
            found = {"issuer": f"{base}/t", "authorization_endpoint": f"{base}/a", "token_endpoint": f"{base}/token"}
            return raw_response(200, orjson.dumps(found))
        self.forms.append(parse_qs(seen.body.decode()))
        status, content = self.token[:2]
        headers = self.token[2] if len(self.token) == 3 else dict[str, str]()
        return raw_response(status, orjson.dumps(content), **headers)


@pytest.fixture
async def authority(https: StartHttps) -> Authority:
    """An authority on this machine."""
    return Authority(await https())


def at(authority: Authority, tenant: Tenant, **credential: Any) -> Tenant:
    """The tenant with this authority and credential."""
    changed = tenant.model_dump(mode="json") | {"authority_url": authority.server.url}
    if credential:
        changed["credential"] = credential
    return Tenant.model_validate(changed)


async def ask(authority: Authority, tenant: Tenant) -> Granted | AuthFailed:
    """One token request with a source of its own."""
    async with AiohttpTransport(GraphSettings(cafile=authority.server.ca_file)) as transport:
        return await asyncio.to_thread(MsalSource(transport).acquire, tenant)


async def test_a_secret_file_gets_a_token(
    authority: Authority, tenant: Tenant, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Client credentials for Graph's default scope; the environment's CA bundle and proxy do not count."""
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/nonexistent.pem")
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:1")
    (tmp_path / "secret").write_text("planted-secret\n")
    assert await ask(authority, at(authority, tenant)) == Granted("planted-token", 3600.0)
    (form,) = authority.forms
    assert form["client_secret"] == ["planted-secret"]
    assert form["scope"] == ["https://graph.test/.default"]
    assert form["grant_type"] == ["client_credentials"]


async def test_a_compressed_answer_is_read(authority: Authority, tenant: Tenant, tmp_path: Path) -> None:
    """Discovery and token by gzip, which is all that is asked for; it is undone once."""
    (tmp_path / "secret").write_text("s")

    def compressed(seen: Served) -> bytes:
        assert seen.headers["accept-encoding"] == "gzip"
        body = (authority.answer(seen) or b"").partition(b"\r\n\r\n")[2]
        return raw_response(200, gzip.compress(body), Content_Encoding="gzip")

    authority.server.answer = compressed
    assert await ask(authority, at(authority, tenant)) == Granted("planted-token", 3600.0)


async def test_every_call_asks_anew(authority: Authority, tenant: Tenant, tmp_path: Path) -> None:
    """Neither an old token nor an old refusal is repeated: a corrected secret works at once."""
    (tmp_path / "secret").write_text("wrong")
    authority.token = (401, {"error": "invalid_client", "error_description": "x", "error_codes": [7000215]})
    ours = at(authority, tenant)
    async with AiohttpTransport(GraphSettings(cafile=authority.server.ca_file)) as transport:
        source = MsalSource(transport)
        assert await asyncio.to_thread(source.acquire, ours) == AuthFailed("invalid_client:7000215")
        (tmp_path / "secret").write_text("right")
        authority.token = (200, {"token_type": "Bearer", "expires_in": 60, "access_token": "a"})
        assert await asyncio.to_thread(source.acquire, ours) == Granted("a", 60.0)
        authority.token = (200, {"token_type": "Bearer", "expires_in": 60, "access_token": "b"})
        assert await asyncio.to_thread(source.acquire, ours) == Granted("b", 60.0)


def _certificate_files(folder: Path) -> dict[str, dict[str, str]]:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "app")])
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = builder.serial_number(1).not_valid_before(now).not_valid_after(now + timedelta(days=1))
    certificate = builder.sign(key, hashes.SHA256())
    locked = serialization.BestAvailableEncryption(b"planted-phrase")
    (folder / "phrase").write_text("planted-phrase\n")
    (folder / "key.pem").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, locked)
    )
    (folder / "app.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    (folder / "app.pfx").write_bytes(pkcs12.serialize_key_and_certificates(b"app", key, certificate, None, locked))
    phrase = {"passphrase_file": str(folder / "phrase")}
    return {
        "pem": {"private_key_file": str(folder / "key.pem"), "certificate_file": str(folder / "app.pem")} | phrase,
        "pfx": {"pfx_file": str(folder / "app.pfx")} | phrase,
    }


@pytest.mark.parametrize("form", ["pem", "pfx"])
async def test_a_certificate_signs_an_assertion(
    authority: Authority, tenant: Tenant, tmp_path: Path, form: str
) -> None:
    """PEM and PFX, both with a passphrase: a signed assertion for the token endpoint, and no secret."""
    ours = at(authority, tenant, certificate=_certificate_files(tmp_path)[form])
    assert await ask(authority, ours) == Granted("planted-token", 3600.0)
    (sent,) = authority.forms
    head, claims = (
        json.loads(base64.urlsafe_b64decode(part + "==")) for part in sent["client_assertion"][0].split(".")[:2]
    )
    assert "x5t#S256" in head
    assert (claims["iss"], claims["aud"]) == ("app", f"{authority.server.url}/token")
    assert "client_secret" not in sent


async def test_a_federated_token_is_the_assertion(authority: Authority, tenant: Tenant, tmp_path: Path) -> None:
    """The file is read at each request, for the platform replaces it."""
    (tmp_path / "federated").write_text("platform-token-1")
    ours = at(authority, tenant, federated_token_file=str(tmp_path / "federated"))
    await ask(authority, ours)
    (tmp_path / "federated").write_text("platform-token-2")
    await ask(authority, ours)
    assert [form["client_assertion"] for form in authority.forms] == [["platform-token-1"], ["platform-token-2"]]


@pytest.mark.parametrize(
    ("token", "expected"),
    [
        ((400, {"error": "invalid_scope", "error_codes": ["x"]}), AuthFailed("invalid_scope")),
        ((400, {"error": "names somebody@example.com"}), AuthFailed("unknown_error")),
        ((200, {"odd": True}), AuthFailed("unknown_error")),
    ],
)
async def test_a_refusal_is_a_code_and_never_a_description(
    authority: Authority, tenant: Tenant, tmp_path: Path, token: Token, expected: AuthFailed
) -> None:
    """Only words and numbers of the authority get through."""
    (tmp_path / "secret").write_text("s")
    authority.token = token
    assert await ask(authority, at(authority, tenant)) == expected


@pytest.mark.parametrize("token", [(503, {}), (500, {}), (400, {"error": "temporarily_unavailable"})])
async def test_an_authority_that_is_not_well_is_transient(
    authority: Authority, tenant: Tenant, tmp_path: Path, token: Token
) -> None:
    """5xx and its own word for it may pass."""
    (tmp_path / "secret").write_text("s")
    authority.token = token
    with pytest.raises(Transient):
        await ask(authority, at(authority, tenant))


@pytest.mark.parametrize(
    ("token", "seconds"),
    [
        ((429, {"error": "temporarily_unavailable"}, {"Retry_After": "37"}), 37.0),
        ((429, {"error": "invalid_request"}), 10.0),
        ((503, None, {"Retry_After": "12"}), 12.0),
        ((429, None, {"Retry_After": "86400"}), 3600.0),
    ],
)
async def test_an_authority_that_asks_to_wait_is_heard(
    authority: Authority, tenant: Tenant, tmp_path: Path, token: Token, seconds: float
) -> None:
    """Its Retry-After comes through msal, for the whole tenant; it is never a refusal of the credential."""
    (tmp_path / "secret").write_text("s")
    authority.token = token
    with pytest.raises(Throttled) as throttled:
        await ask(authority, at(authority, tenant))
    assert (throttled.value.scope, throttled.value.retry_after) == (Scope.tenant(tenant.tenant_id), seconds)


@pytest.mark.parametrize("where", ["openid", "token"])
async def test_a_page_of_somebody_else_is_not_a_refusal(
    authority: Authority, tenant: Tenant, tmp_path: Path, where: str
) -> None:
    """A proxy's or maintenance page with 200 may pass; the credential is not to blame."""
    (tmp_path / "secret").write_text("s")
    true = authority.answer
    authority.server.answer = lambda seen: (
        raw_response(200, b"<html></html>", Content_Type="text/html") if where in seen.line else true(seen)
    )
    with pytest.raises(Transient):
        await ask(authority, at(authority, tenant))


async def test_a_missing_or_broken_credential_is_data(authority: Authority, tenant: Tenant, tmp_path: Path) -> None:
    """One tenant's missing file concerns that tenant only."""
    assert await ask(authority, at(authority, tenant)) == AuthFailed("credential_unreadable")
    (tmp_path / "secret").write_text("  \n")
    assert await ask(authority, at(authority, tenant)) == AuthFailed("credential_unreadable")
    (tmp_path / "broken.pem").write_text("no key")
    pem = {"private_key_file": str(tmp_path / "broken.pem"), "certificate_file": str(tmp_path / "broken.pem")}
    broken = at(authority, tenant, certificate=pem)
    assert await ask(authority, broken) == AuthFailed("credential_or_authority_unusable")
    missing = at(authority, tenant, certificate={"pfx_file": str(tmp_path / "none.pfx")})
    assert await ask(authority, missing) == AuthFailed("credential_unreadable")


async def test_the_secret_does_not_follow_a_redirect(
    authority: Authority, tenant: Tenant, tmp_path: Path, https: StartHttps
) -> None:
    """A token endpoint that redirects elsewhere gets no second POST."""
    (tmp_path / "secret").write_text("planted-secret")
    catcher = await https()
    discovery = authority.answer
    authority.server.answer = lambda seen: (
        discovery(seen) if "openid" in seen.line else raw_response(307, Location=f"{catcher.url}/token")
    )
    assert isinstance(await ask(authority, at(authority, tenant)), AuthFailed)
    assert catcher.seen == []
