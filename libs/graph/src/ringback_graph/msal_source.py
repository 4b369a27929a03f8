"""Tokens by msal: client secret, certificate, federated token or managed identity."""

import asyncio
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, cast

import httpx
import msal
from msal.exceptions import MsalServiceError
from ringback_common.errors import Throttled, Transient
from ringback_common.scopes import Scope

from ringback_graph.answers import AuthFailed
from ringback_graph.auth import Granted
from ringback_graph.exchange import Reply, exchange
from ringback_graph.retry_after import retry_after
from ringback_graph.tenants import Certificate, Tenant

__all__ = ["MsalSource"]

_TIMEOUT = 15.0
"""Seconds to connect, and of silence."""
_ENCODING = {"Accept-Encoding": "gzip"}
_OF_THE_WIRE = frozenset({"content-encoding", "content-length", "transfer-encoding"})
_LONGEST_WAIT = 3600.0
"""Seconds of the authority's Retry-After that are believed; msal's own cap."""
_WORD = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,39}\Z")
_PASSING = frozenset({"temporarily_unavailable", "server_error", "timeout", "request_timeout"})


class _AskedToWait(Exception):  # noqa: N818 - internal: the authority's Retry-After on its way through msal
    def __init__(self, seconds: float) -> None:
        super().__init__()
        self.seconds = seconds


class _InLoop(httpx.BaseTransport):
    """Sends what msal asks from its thread over the transport of the event loop.

    So one object decides for Graph and for the authority who is trusted, which proxy is used, which addresses may be
    reached and how much is read. msal would take a request to wait, and a page that is not the authority's at all, for
    refusals of the credential: both are errors here.
    """

    def __init__(self, transport: httpx.AsyncBaseTransport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport = transport
        self._loop = loop

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send one request and wait for its reply; in any thread but the loop's.

        Raises:
            Transient: as `exchange`, a body above its cap, or a 200 that is no JSON.
            _AskedToWait: 429, or 5xx with Retry-After.
        """
        sending = exchange(self._transport, request, whom="the authority")
        reply = asyncio.run_coroutine_threadsafe(sending, self._loop).result()
        if reply.status == 429 or (reply.status >= 500 and "Retry-After" in reply.headers):  # noqa: PLR2004 - HTTP
            raise _AskedToWait(min(_LONGEST_WAIT, retry_after(reply.headers, datetime.now(UTC))))
        if reply.body is None or (reply.status == 200 and not _is_json(reply)):  # noqa: PLR2004 - HTTP
            raise Transient(f"an answer {reply.status} that is not the authority's")
        # The body is no longer compressed, and has its length: httpx must not undo again what is undone.
        headers = {name: value for name, value in reply.headers.items() if name.lower() not in _OF_THE_WIRE}
        return httpx.Response(reply.status, headers=headers, content=reply.body)


class _Client(httpx.Client):
    """msal's HTTP client."""

    def build_request(self, *args: Any, **kwargs: Any) -> httpx.Request:
        """As httpx's; msal gives a signed assertion as bytes, of which httpx would send Python's notation, `b'...'`."""
        form = kwargs.get("data")
        if isinstance(form, dict):
            kwargs["data"] = {name: _as_text(value) for name, value in cast("dict[str, object]", form).items()}
        return super().build_request(*args, **kwargs)


def _as_text(value: object) -> object:
    return value.decode("ascii") if isinstance(value, bytes) else value


def _is_json(reply: Reply) -> bool:
    return "json" in reply.headers.get("Content-Type", "").lower()


class _Unreadable(Exception):  # noqa: N818 - internal: the credential's files cannot be used
    pass


class MsalSource:
    """Asks the authority for app-only tokens; blocking, safe to call from several threads.

    Each call builds a new msal application. Two of msal's habits demand it: it caches the authority's refusals (a
    corrected secret would go on failing) and its tokens (one that Graph rejected would come again). Tokens are asked
    for about once an hour and tenant, so the discovery request this costs does not matter.
    """

    def __init__(self, transport: httpx.AsyncBaseTransport) -> None:
        """Take what sends the requests, in the loop that runs now."""
        self._transport = _InLoop(transport, asyncio.get_running_loop())

    def acquire(self, tenant: Tenant) -> Granted | AuthFailed:
        """A new token; blocks any thread but the loop's. Raises Throttled and Transient, as `TokenSource.acquire`."""
        try:
            # A client for each token: its cookies end with it, its connections are the transport's.
            with _Client(transport=self._transport, headers=_ENCODING, trust_env=False, timeout=_TIMEOUT) as http:
                return _read(_ask(tenant, http))
        except _AskedToWait as asked:
            # No other request of the tenant can be sent either: without a token there is nothing to send it with.
            raise Throttled(Scope.tenant(tenant.tenant_id), asked.seconds) from None
        except (httpx.HTTPError, MsalServiceError) as failure:
            raise Transient(f"request to the authority failed: {type(failure).__name__}") from None
        except _Unreadable:
            return AuthFailed("credential_unreadable")
        except (ValueError, RuntimeError):
            # msal's words for a key it cannot parse, a tenant the authority does not know, a discovery that redirects.
            return AuthFailed("credential_or_authority_unusable")


def _ask(tenant: Tenant, http: httpx.Client) -> Mapping[str, Any]:
    if (managed := tenant.credential.managed_identity) is not None:
        who = (
            msal.UserAssignedManagedIdentity(client_id=managed.client_id)
            if managed.client_id
            else msal.SystemAssignedManagedIdentity()
        )
        client = msal.ManagedIdentityClient(who, http_client=http)
        return cast("Mapping[str, Any]", client.acquire_token_for_client(resource=tenant.graph_url))
    app = msal.ConfidentialClientApplication(
        tenant.client_id,
        client_credential=_client_credential(tenant),
        authority=f"{tenant.authority_url}/{tenant.tenant_id}",
        http_client=http,
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
