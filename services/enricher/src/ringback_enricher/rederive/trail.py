"""The audit trail of one run: an entry per tenant before its first publication, another at the end."""

from ringback_common.clock import Clock

from ringback_enricher.adapters.audit import audit_message
from ringback_enricher.rederive.publisher import Publisher

__all__ = ["AuditTrail"]


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
        entry = audit_message(tenant_id, self._revision, self._reason, self._clock.now(), outcome)
        await self._publisher.write([[entry]])
