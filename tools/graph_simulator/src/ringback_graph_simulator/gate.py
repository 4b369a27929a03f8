"""What every Graph request passes first: the token, the budgets, the pauses of an earlier Retry-After."""

from http import HTTPStatus

from aiohttp import web

from ringback_graph_simulator.clock import GraphClock
from ringback_graph_simulator.exchange import Exchange
from ringback_graph_simulator.faults import Fault
from ringback_graph_simulator.odata import GraphError
from ringback_graph_simulator.throttle import Pauses, Throttle
from ringback_graph_simulator.tokens import Authority, Tenant, fingerprint

__all__ = ["Gate"]


class Gate:
    """Checks tokens and budgets."""

    def __init__(self, authority: Authority, clock: GraphClock) -> None:
        self._authority = authority
        self._clock = clock
        self._throttle = Throttle()
        self._pauses = Pauses()

    def admit(self, request: web.Request, exchange: Exchange) -> Tenant:
        """Whose request this is. Raises GraphError 401 or 429."""
        tenant = self._authenticate(request, exchange)
        if exchange.route == "unknown":
            raise GraphError(HTTPStatus.BAD_REQUEST, "BadRequest", "Resource not found for the segment.")
        scopes = self._scopes(exchange, tenant)
        exchange.inside_retry_after = self._pauses.inside(list(scopes.items()), exchange.begun, exchange.connection)
        verdict = self._throttle.check(scopes, exchange.begun)
        if verdict is not None:
            exchange.over_budget = verdict.scope
            scope = (verdict.scope, scopes[verdict.scope])
            self._pauses.begin(scope, self._clock.now(), str(verdict.retry_after), exchange.connection)
            headers = {"Retry-After": str(verdict.retry_after)}
            raise GraphError(HTTPStatus.TOO_MANY_REQUESTS, "TooManyRequests", "Too many requests.", headers)
        return tenant

    def pause_for(self, fault: Fault, exchange: Exchange, tenant: Tenant, retry_after: str | None) -> None:
        """Note a Retry-After that a fault sent: the client must wait in the fault's scope."""
        if retry_after is None:
            return
        scopes = self._scopes(exchange, tenant)
        wanted = "record" if fault.call_id else "list" if fault.route == "list" else "appTenant"
        name = wanted if wanted in scopes else "subscriptions"
        self._pauses.begin((name, scopes[name]), self._clock.now(), retry_after, exchange.connection)

    def _authenticate(self, request: web.Request, exchange: Exchange) -> Tenant:
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        grant = self._authority.grant(token, self._clock.now()) if scheme.lower() == "bearer" else None
        exchange.token = fingerprint(token) if token else None
        if grant is None:
            sentence = "Lifetime validation failed, the token is expired." if token else "Access token is empty."
            headers = {"WWW-Authenticate": 'Bearer realm="", error="invalid_token"'}
            raise GraphError(HTTPStatus.UNAUTHORIZED, "InvalidAuthenticationToken", sentence, headers)
        exchange.tenant_id = grant.tenant.tenant_id
        return grant.tenant

    @staticmethod
    def _scopes(exchange: Exchange, tenant: Tenant) -> dict[str, str]:
        both = f"{tenant.tenant_id}|{tenant.client_id}"
        if exchange.route == "subscriptions":
            return {"subscriptions": both}
        scopes = {"app": tenant.client_id, "tenant": tenant.tenant_id, "appTenant": both}
        if exchange.route == "list":
            return scopes | {"list": both}
        return scopes | {"record": f"{tenant.tenant_id}|{exchange.call_id}"}
