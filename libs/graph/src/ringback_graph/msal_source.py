"""Tokens by msal: client secret, certificate, federated token or managed identity."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, cast

import msal
import requests
from msal.exceptions import MsalServiceError
from ringback_common.errors import Throttled, Transient

from ringback_graph import addresses
from ringback_graph.answers import AuthFailed
from ringback_graph.auth import Granted
from ringback_graph.budget.allotment import tenant_scope
from ringback_graph.retry_after import retry_after
from ringback_graph.settings import GraphSettings
from ringback_graph.tenants import Certificate, Tenant
from ringback_graph.trust import authorities

__all__ = ["MsalSource"]

_TIMEOUT = 15.0
_LONGEST_WAIT = 3600.0
"""Seconds of the authority's Retry-After that are believed; msal's own cap."""
_WORD = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,39}\Z")
_PASSING = frozenset({"temporarily_unavailable", "server_error", "timeout", "request_timeout"})


class _AskedToWait(Exception):  # noqa: N818 - internal: the authority's Retry-After on its way through msal
    def __init__(self, seconds: float) -> None:
        super().__init__()
        self.seconds = seconds


class _Session(requests.Session):
    """msal's HTTP client: trusts whom Graph's transport trusts, and never follows a redirect.

    What msal would take for a refusal of the credential is told apart here: a request to wait, and a page that is not
    the authority's at all.

    requests lets REQUESTS_CA_BUNDLE and the proxy variables override a session unless `trust_env` is off.
    """

    def __init__(self, settings: GraphSettings) -> None:
        super().__init__()
        self.trust_env = False
        self.verify = str(authorities(settings))
        if settings.proxy:
            self.proxies = {"https": settings.proxy}
            return
        for host in addresses.PUBLIC_HOSTS:
            self.mount(f"https://{host}", addresses.PublicAdapter())

    def request(self, method: str, url: str | bytes, *args: Any, **kwargs: Any) -> requests.Response:
        """As requests', with our timeout and without redirects."""
        kwargs.setdefault("timeout", _TIMEOUT)
        kwargs["allow_redirects"] = False
        reply = super().request(method, url, *args, **kwargs)
        if reply.status_code == 429 or (reply.status_code >= 500 and "Retry-After" in reply.headers):  # noqa: PLR2004 - HTTP
            raise _AskedToWait(min(_LONGEST_WAIT, retry_after(reply.headers, datetime.now(UTC))))
        if reply.status_code == 200 and "json" not in reply.headers.get("Content-Type", "").lower():  # noqa: PLR2004 - HTTP
            raise requests.exceptions.InvalidJSONError
        return reply


class _Unreadable(Exception):  # noqa: N818 - internal: the credential's files cannot be used
    pass


class MsalSource:
    """Asks the authority for app-only tokens; blocking, safe to call from several threads.

    Each call builds a new msal application. Two of msal's habits demand it: it caches the authority's refusals (a
    corrected secret would go on failing) and its tokens (one that Graph rejected would come again). Tokens are asked
    for about once an hour and tenant, so the discovery request this costs does not matter.
    """

    def __init__(self, settings: GraphSettings) -> None:
        self._session = _Session(settings)

    def acquire(self, tenant: Tenant) -> Granted | AuthFailed:
        """A new token. Raises Throttled and Transient, as `TokenSource.acquire`."""
        try:
            return _read(self._ask(tenant))
        except _AskedToWait as asked:
            # No other request of the tenant can be sent either: without a token there is nothing to send it with.
            raise Throttled(tenant_scope(tenant.tenant_id), asked.seconds) from None
        except (requests.RequestException, MsalServiceError) as failure:
            raise Transient(f"request to the authority failed: {type(failure).__name__}") from None
        except _Unreadable:
            return AuthFailed("credential_unreadable")
        except (ValueError, RuntimeError):
            # msal's words for a key it cannot parse, a tenant the authority does not know, a discovery that redirects.
            return AuthFailed("credential_or_authority_unusable")

    def close(self) -> None:
        """Close the connections."""
        self._session.close()

    def _ask(self, tenant: Tenant) -> Mapping[str, Any]:
        if (managed := tenant.credential.managed_identity) is not None:
            who = (
                msal.UserAssignedManagedIdentity(client_id=managed.client_id)
                if managed.client_id
                else msal.SystemAssignedManagedIdentity()
            )
            client = msal.ManagedIdentityClient(who, http_client=self._session)
            return cast("Mapping[str, Any]", client.acquire_token_for_client(resource=tenant.graph_url))
        app = msal.ConfidentialClientApplication(
            tenant.client_id,
            client_credential=_client_credential(tenant),
            authority=f"{tenant.authority_url}/{tenant.tenant_id}",
            http_client=self._session,
            instance_discovery=False,
        )
        return cast("Mapping[str, Any]", app.acquire_token_for_client([f"{tenant.graph_url}/.default"]))


def _client_credential(tenant: Tenant) -> Any:
    credential = tenant.credential
    if credential.secret_file is not None:
        return _text(credential.secret_file)
    if credential.certificate is not None:
        return _certificate(credential.certificate)
    token_file = credential.federated_token_file
    assert token_file is not None  # noqa: S101 - the model holds exactly one way
    return {"client_assertion": partial(_text, token_file)}


def _certificate(certificate: Certificate) -> dict[str, Any]:
    passphrase = _text(certificate.passphrase_file) if certificate.passphrase_file else None
    if certificate.pfx_file is not None:
        if not certificate.pfx_file.is_file():
            raise _Unreadable
        form: dict[str, Any] = {"private_key_pfx_path": str(certificate.pfx_file), "public_certificate": True}
    else:
        assert certificate.private_key_file is not None  # noqa: S101 - the model demands both
        assert certificate.certificate_file is not None  # noqa: S101 - the same
        form = {
            "private_key": _text(certificate.private_key_file),
            "public_certificate": _text(certificate.certificate_file),
        }
    return form | {"passphrase": passphrase} if passphrase else form


def _text(path: Path) -> str:
    try:
        content = path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError):
        raise _Unreadable from None
    if not content:
        raise _Unreadable
    return content


def _read(answer: Mapping[str, Any]) -> Granted | AuthFailed:
    """A token, or the error's code; the description quotes ids and is never looked at."""
    token, seconds = answer.get("access_token"), answer.get("expires_in")
    if isinstance(token, str) and isinstance(seconds, int | float):
        return Granted(token, float(seconds))
    error = answer.get("error")
    word = error if isinstance(error, str) and _WORD.match(error) else "unknown_error"
    if word in _PASSING:
        raise Transient(f"the authority answered {word}")
    numbers = answer.get("error_codes")
    first = next(iter(cast("list[Any]", numbers)), None) if isinstance(numbers, list) else None
    return AuthFailed(f"{word}:{first}" if isinstance(first, int) else word)
