"""The authority's two routes, as msal calls them."""

import asyncio
from typing import Any

import orjson
from aiohttp import web

from ringback_graph_simulator.clock import GraphClock
from ringback_graph_simulator.fault_effects import FaultEffects
from ringback_graph_simulator.faults import Fault
from ringback_graph_simulator.ledger import Ledger
from ringback_graph_simulator.throttle import Pauses
from ringback_graph_simulator.tokens import Authority, Refused, fingerprint

__all__ = ["AuthorityRoutes"]


class AuthorityRoutes:
    """Discovery and tokens; every answer is in the ledger, no secret is."""

    def __init__(
        self, authority: Authority, effects: FaultEffects, ledger: Ledger, clock: GraphClock, root: str
    ) -> None:
        self._authority = authority
        self._effects = effects
        self._pauses = Pauses()
        self._ledger = ledger
        self._clock = clock
        self._root = root

    def add_to(self, app: web.Application) -> None:
        """Register both routes."""
        app.router.add_get("/{tenant}/v2.0/.well-known/openid-configuration", self._discovery)
        app.router.add_post("/{tenant}/oauth2/v2.0/token", self._token)

    async def _discovery(self, request: web.Request) -> web.Response:
        tenant = request.match_info["tenant"]
        if self._authority.tenant(tenant) is None:
            return _json(
                {"error": "invalid_tenant", "error_description": f"AADSTS90002: Tenant '{tenant}' not found."}, 400
            )
        base = f"{self._root}/{tenant}"
        return _json(
            {
                "issuer": f"{base}/v2.0",
                "authorization_endpoint": f"{base}/oauth2/v2.0/authorize",
                "token_endpoint": f"{base}/oauth2/v2.0/token",
                "token_endpoint_auth_methods_supported": ["client_secret_post", "private_key_jwt"],
            }
        )

    async def _token(self, request: web.Request) -> web.Response:
        tenant, begun = request.match_info["tenant"].lower(), self._clock.now()
        form = {name: str(value) for name, value in (await request.post()).items()}
        inside = self._pauses.inside([("token", tenant)], begun)
        status, body, headers = await self._answer(tenant, form)
        self._effects.inside_retry_after += inside
        self._ledger.write(
            "token", at=self._clock.now(), tenantId=tenant, clientId=form.get("client_id"), status=status,
            token=fingerprint(body["access_token"]) if status == 200 else None, insideRetryAfter=inside,
        )  # fmt: skip
        return _json(body, status, headers)

    async def _answer(self, tenant: str, form: dict[str, str]) -> tuple[int, dict[str, Any], dict[str, str]]:
        fault = self._effects.faults.draw("token", tenant, None, 1, self._clock.now())
        if fault is not None and fault.effect in {"delay", "hang"}:
            await asyncio.sleep(fault.seconds)
        elif fault is not None:
            return self._fault(tenant, fault)
        try:
            audience = f"{self._root}/{tenant}/oauth2/v2.0/token"
            return 200, self._authority.issue(tenant, form, audience=audience, now=self._clock.now()), {}
        except Refused as refused:
            return refused.status, refused.body, {}

    def _fault(self, tenant: str, fault: Fault) -> tuple[int, dict[str, Any], dict[str, str]]:
        body = {"error": "temporarily_unavailable", "error_description": fault.code, "error_codes": [90033]}
        retry_after = fault.retry_after_at(self._clock.now())
        if retry_after is None:
            return fault.status, body, fault.headers
        self._pauses.begin(("token", tenant), self._clock.now(), retry_after)
        return fault.status, body, fault.headers | {"Retry-After": retry_after}


def _json(body: dict[str, Any], status: int = 200, headers: dict[str, str] | None = None) -> web.Response:
    return web.Response(body=orjson.dumps(body), status=status, headers=headers, content_type="application/json")
