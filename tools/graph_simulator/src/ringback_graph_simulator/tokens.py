"""Tenants, their app registrations, and the tokens Entra gives them (graph.md section 8)."""

import base64
import hashlib
import hmac
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import orjson
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

__all__ = ["Authority", "Grant", "Refused", "Tenant", "fingerprint"]

_ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
_CLOCK_SKEW_S = 300


@dataclass(frozen=True, slots=True)
class Tenant:
    """One app registration in one tenant.

    Attributes:
        expires_in: life of its tokens, seconds of real time (Entra: 60 to 90 min at random).
        refuse_double_expand: answer 400 to a record request that expands sessions and participants at once; Graph's
            query parameters page says that some resources expand one relationship only.
        participants_v2: whether it exists; elsewhere than in the global cloud it did not until 2026-01.
    """

    tenant_id: str
    client_id: str
    secret: str | None
    certificate: x509.Certificate | None
    expires_in: int
    people: int
    refuse_double_expand: bool
    participants_v2: bool

    @classmethod
    def of(cls, body: dict[str, Any]) -> "Tenant":
        """From the control API's shape. Raises KeyError or ValueError."""
        pem = body.get("certificate")
        return cls(
            tenant_id=str(body["tenantId"]).lower(),
            client_id=str(body["clientId"]).lower(),
            secret=body.get("clientSecret"),
            certificate=x509.load_pem_x509_certificate(pem.encode()) if pem else None,
            expires_in=int(body.get("expiresInSeconds", 3600)),
            people=int(body.get("people", 200)),
            refuse_double_expand=bool(body.get("refuseDoubleExpand", True)),
            participants_v2=bool(body.get("participantsV2", True)),
        )


@dataclass(frozen=True, slots=True)
class Grant:
    """Whom a token speaks for, and until when."""

    tenant: Tenant
    expires_at: float


class Refused(Exception):  # noqa: N818 (it is an answer, not an error of the simulator)
    """Entra's refusal: HTTP status, OAuth error and AADSTS number."""

    def __init__(self, status: int, error: str, number: int, text: str) -> None:
        super().__init__(text)
        self.status = status
        self.body = {"error": error, "error_description": f"AADSTS{number}: {text}", "error_codes": [number]}


def fingerprint(token: str) -> str:
    """What the ledger shows of a token."""
    return hashlib.sha256(token.encode()).hexdigest()[:8]


class Authority:
    """Registrations and live tokens."""

    def __init__(self) -> None:
        self._tenants: dict[str, Tenant] = {}
        self._grants: dict[str, Grant] = {}

    def register(self, tenants: Iterable[Tenant]) -> None:
        """Add or replace registrations; tokens given out stay valid."""
        self._tenants.update({tenant.tenant_id: tenant for tenant in tenants})

    @property
    def tenants(self) -> list[Tenant]:
        """All registrations."""
        return list(self._tenants.values())

    def tenant(self, tenant_id: str) -> Tenant | None:
        """The registration of a tenant."""
        return self._tenants.get(tenant_id.lower())

    def grant(self, token: str, now: float) -> Grant | None:
        """Whom this token speaks for, while it lives."""
        grant = self._grants.get(token)
        return grant if grant is not None and grant.expires_at > now else None

    def issue(self, tenant_id: str, form: dict[str, str], *, audience: str, now: float) -> dict[str, Any]:
        """The token response to a client-credentials request. Raises Refused."""
        tenant = self._client(tenant_id, form)
        if form.get("client_assertion"):
            self._check_assertion(tenant, form, audience, now)
        elif not tenant.secret or not hmac.compare_digest(
            form.get("client_secret", "").encode(), tenant.secret.encode()
        ):
            raise Refused(401, "invalid_client", 7000215, "Invalid client secret provided.")
        self._grants = {token: grant for token, grant in self._grants.items() if grant.expires_at > now}
        token = secrets.token_urlsafe(900)  # a real one is about this long
        self._grants[token] = Grant(tenant, now + tenant.expires_in)
        life = tenant.expires_in
        return {"token_type": "Bearer", "expires_in": life, "ext_expires_in": life, "access_token": token}

    def _client(self, tenant_id: str, form: dict[str, str]) -> Tenant:
        tenant = self.tenant(tenant_id)
        if tenant is None:
            raise Refused(400, "invalid_request", 90002, f"Tenant '{tenant_id}' not found.")
        if form.get("client_id", "").lower() != tenant.client_id:
            raise Refused(400, "unauthorized_client", 700016, "Application was not found in the directory.")
        if form.get("grant_type") != "client_credentials":
            raise Refused(400, "unsupported_grant_type", 70003, "The app requested an unsupported grant type.")
        if not form.get("scope", "").split(" ")[0].endswith("/.default"):
            raise Refused(400, "invalid_scope", 1002012, "The scope must end in /.default.")
        return tenant

    @staticmethod
    def _check_assertion(tenant: Tenant, form: dict[str, str], audience: str, now: float) -> None:
        try:
            claims = _verified(form["client_assertion"], tenant.certificate)
            good = (
                form.get("client_assertion_type") == _ASSERTION
                and claims["aud"] == audience
                and str(claims["iss"]).lower() == str(claims["sub"]).lower() == tenant.client_id
                and claims["exp"] > now
                and claims.get("nbf", now) <= now + _CLOCK_SKEW_S
            )
        except (ValueError, KeyError, InvalidSignature):
            good = False
        if not good:
            raise Refused(401, "invalid_client", 700027, "Client assertion failed signature or claims validation.")


def _verified(assertion: str, certificate: x509.Certificate | None) -> dict[str, Any]:
    """The claims of a signed JWT. Raises ValueError or InvalidSignature."""
    signed, _, signature = assertion.rpartition(".")
    header, claims = (orjson.loads(_unpadded(part)) for part in signed.split("."))
    key = certificate.public_key() if certificate else None
    if not isinstance(key, rsa.RSAPublicKey) or not _names_certificate(header, certificate):
        raise ValueError("no such certificate")
    schemes = {
        "RS256": padding.PKCS1v15(),
        "PS256": padding.PSS(padding.MGF1(hashes.SHA256()), padding.PSS.DIGEST_LENGTH),
    }
    key.verify(_unpadded(signature), signed.encode(), schemes[header["alg"]], hashes.SHA256())
    return claims


def _names_certificate(header: dict[str, Any], certificate: x509.Certificate | None) -> bool:
    if certificate is None or "x5t#S256" not in header:
        return certificate is not None
    der = certificate.public_bytes(serialization.Encoding.DER)
    return _unpadded(header["x5t#S256"]) == hashlib.sha256(der).digest()


def _unpadded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
