"""Tokens as msal asks for them, and what Graph says to bad ones."""

import asyncio
import datetime as dt
from pathlib import Path
from typing import Any, cast

import msal
import pytest
import requests
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

from .conftest import CLIENT, TENANT, Lab

_SCOPES = ["https://graph.microsoft.com/.default"]


def _ask(lab: Lab, credential: object) -> Any:
    """One token through msal; environment variables about CAs are kept out."""
    with requests.Session() as http:
        http.trust_env, http.verify = False, lab.ready["caFile"]
        authority = f"{lab.ready['authorityUrl']}/{TENANT}"
        app = msal.ConfidentialClientApplication(
            CLIENT, client_credential=credential, authority=authority, instance_discovery=False, http_client=http
        )
        return cast("Any", app).acquire_token_for_client(_SCOPES)


def _certificate() -> tuple[str, str]:
    """A self-signed certificate and its key, both PEM."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "ringback")])
    now = dt.datetime.now(dt.UTC)
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = builder.serial_number(1).not_valid_before(now).not_valid_after(now + dt.timedelta(days=1))
    public = builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM).decode()
    form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return public, key.private_bytes(*form).decode()


async def test_msal_gets_a_token_by_secret(lab: Lab) -> None:
    """Msal's own discovery and token request succeed against the simulator's CA, and Graph takes the token."""
    token = await asyncio.to_thread(_ask, lab, "open sesame")
    assert token["expires_in"] == 3600
    lab.headers = {"Authorization": f"Bearer {token['access_token']}"}
    assert (await lab.get("subscriptions"))["value"] == []


async def test_msal_gets_a_token_by_certificate_and_only_by_the_right_one(lab: Lab) -> None:
    """The assertion must be signed by the registered certificate's key."""
    public, key = _certificate()
    tenant = {"tenantId": TENANT, "clientId": CLIENT, "certificate": public}
    await lab.control("POST", "tenants", {"tenants": [tenant]})
    good = await asyncio.to_thread(_ask, lab, {"private_key": key, "public_certificate": public})
    assert "access_token" in good
    other_public, other_key = _certificate()
    bad = await asyncio.to_thread(_ask, lab, {"private_key": other_key, "public_certificate": other_public})
    assert bad["error_codes"] == [700027]


@pytest.mark.parametrize(
    ("form", "status", "number"),
    [
        ({"client_secret": "wrong"}, 401, 7000215),
        ({"client_id": TENANT}, 400, 700016),
        ({"grant_type": "password"}, 400, 70003),
        ({"scope": "User.Read"}, 400, 1002012),
        ({"client_assertion": "a.b.c"}, 401, 700027),
    ],
)
async def test_a_bad_token_request_is_refused(lab: Lab, form: dict[str, str], status: int, number: int) -> None:
    """Each mistake has Entra's own number."""
    answer = await lab.token(**form)
    assert answer.status == status
    assert (await answer.json())["error_codes"] == [number]


async def test_graph_refuses_missing_unknown_and_expired_tokens(lab: Lab) -> None:
    """401 with WWW-Authenticate; the ledger names the token by fingerprint only."""
    tenant = {"tenantId": TENANT, "clientId": CLIENT, "clientSecret": "open sesame", "expiresInSeconds": 0}
    await lab.control("POST", "tenants", {"tenants": [tenant]})
    expired = (await (await lab.token()).json())["access_token"]
    for headers in ({"Authorization": ""}, {"Authorization": "Bearer x"}, {"Authorization": f"Bearer {expired}"}):
        answer = await lab.graph("GET", "subscriptions", headers=headers)
        assert answer.status == 401
        assert "WWW-Authenticate" in answer.headers
        assert (await answer.json())["error"]["code"] == "InvalidAuthenticationToken"
    assert expired not in Path(lab.ready["ledgerFile"]).read_text(encoding="utf-8")


async def test_an_unknown_tenant_has_no_authority(lab: Lab) -> None:
    """Discovery of a tenant that nobody registered fails as Entra's does."""
    url = f"{lab.ready['authorityUrl']}/nobody/v2.0/.well-known/openid-configuration"
    async with lab.session.get(url) as answer:
        assert answer.status == 400
        assert "AADSTS90002" in await answer.text()
