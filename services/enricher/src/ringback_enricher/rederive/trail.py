"""The audit trail of one run: an entry per tenant before its first publication, another at the end."""

import uuid

from ringback_common.clock import Clock
from ringback_common.outcomes import Message
from ringback_events.audit import audit_record
from ringback_events.platform_events import AuditEntry

from ringback_enricher.rederive.publisher import Publisher

__all__ = ["AuditTrail"]

_ACTOR = "workload:rederive"
_ACTION = "records.rederive"


class AuditTrail:
    """Knows whose records were touched."""

    def __init__(self, publisher: Publisher, clock: Clock, revision: int, reason: str) -> None:
        """Take what every entry says."""
        self._publisher = publisher
        self._clock = clock
        self._revision = revision
        self._reason = reason
        self._tenants: list[str] = []

    async def begin(self, tenant_id: str) -> None:
        """Write the tenant's first entry, once; a run that is killed leaves it behind."""
        if tenant_id not in self._tenants:
            await self._write(tenant_id, "begun")
            self._tenants.append(tenant_id)

    async def end(self, outcome: str) -> None:
        """Write the last entry of every tenant that has a first."""
        for tenant_id in self._tenants:
            await self._write(tenant_id, outcome)

    async def _write(self, tenant_id: str, outcome: str) -> None:
        entry = AuditEntry(
            actor=_ACTOR,
            action=_ACTION,
            tenant_id=tenant_id,
            targets=[f"revision:{self._revision}"],
            reason=self._reason,
            at=self._clock.now(),
            outcome=outcome,
        )
        await self._publisher.write([[Message(*audit_record(entry, str(uuid.uuid4())))]])
