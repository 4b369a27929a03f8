"""Reads call records for other packages: a whole record, its version alone, or whether Graph answers at all."""

from urllib.parse import quote
from uuid import UUID

from ringback_common import logs
from ringback_common.errors import Throttled, Transient
from ringback_common.scopes import Scope

from ringback_graph.answers import Answer, AuthFailed, Current, Failed
from ringback_graph.asking import Asking, ReadLimits
from ringback_graph.availability import Priority
from ringback_graph.client import Call, GraphClient
from ringback_graph.reading import SESSIONS, VERSION, Reading
from ringback_graph.room import Boundless, Room
from ringback_graph.tenants import Tenant

__all__ = ["ReadLimits", "RecordReader"]

log = logs.logger(__name__)

_NO_RECORD = str(UUID(int=0))


class RecordReader:
    """Reads records, and logs once for each tenant that its Graph has no participants_v2."""

    def __init__(self, client: GraphClient, limits: ReadLimits | None = None) -> None:
        self._client = client
        self._limits = limits or ReadLimits()
        self._warned: set[str] = set()

    async def read(
        self,
        tenant: Tenant,
        call_id: str,
        priority: Priority,
        trace_id: str | None = None,
        room: Room | None = None,
    ) -> Answer:
        """One whole version of a record, or why there is none; `room` counts its replies' bytes as they come in.

        Raises:
            Transient: timeout, connection, 5xx, or the read took too long.
            Throttled: Graph asks to wait; the scope is already held.
        """
        return await self._reading(tenant, call_id, priority, trace_id, room).run()

    async def version(
        self, tenant: Tenant, call_id: str, priority: Priority, room: Room | None = None
    ) -> Current | Failed:
        """Which version Graph has of a record now, in one request, or why that is not known; `room` as for `read`.

        Raises:
            Transient: timeout, connection, 5xx.
            Throttled: Graph asks to wait; the scope is already held.
        """
        return await self._reading(tenant, call_id, priority, None, room).version()

    async def reachable(self, tenant: Tenant, call_id: str | None = None) -> bool | None:
        """Whether Graph answers this tenant at all, with any status; None if the request could not be made.

        That is so without a valid token, and while a Retry-After holds the tenant.

        Args:
            tenant: whose Graph is asked.
            call_id: the record to ask for, as a read would begin; by default the version of one that does not exist.
        """
        name, query = (_NO_RECORD, VERSION) if call_id is None else (call_id, SESSIONS)
        scope = Scope.record(tenant.tenant_id, name)
        call = Call(tenant, "peer_probe", "GET", f"{_url(tenant, name)}?{query}", Priority.LIVE, scope)
        try:
            reply = await self._client.send(call)
        except Throttled:
            return None
        except Transient:
            return False
        return None if isinstance(reply, AuthFailed) else True

    def _reading(
        self, tenant: Tenant, call_id: str, priority: Priority, trace_id: str | None, room: Room | None
    ) -> Reading:
        url, scope = _url(tenant, call_id), Scope.record(tenant.tenant_id, call_id)
        about = Call(
            tenant, "record", "GET", url, priority, scope, trace_id=trace_id, room=Boundless() if room is None else room
        )
        asking = Asking(self._client, self._limits, about)
        return Reading(asking, url, call_id, lambda: self._warn(tenant.tenant_id))

    def _warn(self, tenant_id: str) -> None:
        """Log it at the tenant's first such record only: it is so with every group call of it."""
        if tenant_id not in self._warned:
            self._warned.add(tenant_id)
            log.warning(
                "A tenant's Graph has no participants_v2: its group calls are stored from their sessions and the"
                " deprecated participants, and cost two requests more each.",
                tenant_id=tenant_id,
            )


def _url(tenant: Tenant, call_id: str) -> str:
    return f"{tenant.graph_url}/v1.0/communications/callRecords/{quote(call_id, safe='')}"
