"""Remembers Graph's sentence beside the code of a refusal, so that an operator reads why a subscription fails."""

from typing import Any, Protocol, cast

from ringback_graph.answers import AuthFailed
from ringback_graph.client import Call, json_object
from ringback_graph.exchange import Reply

from ringback_ingest.keeper.core.graph_words import without_data

__all__ = ["RefusalMemory", "Sends"]

_REFUSED = 400


class Sends(Protocol):
    """A client of Graph's, as far as its subscriptions need it."""

    async def send(self, call: Call) -> Reply | AuthFailed:
        """Send one request."""
        ...


class RefusalMemory:
    """Passes requests on, and remembers per tenant what was said when the last one was refused.

    Args:
        client: sends them.
    """

    def __init__(self, client: Sends) -> None:
        self._client = client
        self._said: dict[str, str] = {}

    async def send(self, call: Call) -> Reply | AuthFailed:
        """Send one request; raises as the client does, and then nothing was said."""
        tenant_id = call.tenant.tenant_id
        self._said.pop(tenant_id, None)
        reply = await self._client.send(call)
        if words := _words(reply):
            self._said[tenant_id] = words
        return reply

    def said(self, tenant_id: str) -> str | None:
        """Graph's sentence of the tenant's last request, without data; None if it was not refused, or without one."""
        return self._said.get(tenant_id)


def _words(reply: Reply | AuthFailed) -> str:
    if isinstance(reply, AuthFailed):
        return reply.code
    error = (json_object(reply) or {}).get("error") if reply.status >= _REFUSED else None
    message = cast("dict[str, Any]", error).get("message") if isinstance(error, dict) else None
    return without_data(message) if isinstance(message, str) else ""
