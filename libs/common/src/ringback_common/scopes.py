"""What a limit of Graph's is for, and so what waits after a Retry-After."""

from enum import StrEnum
from typing import NamedTuple

__all__ = ["APP", "Scope", "ScopeKind"]


class ScopeKind(StrEnum):
    """The kinds of limits (Graph's throttling limits, page of 2026-02-06)."""

    APP = "app"
    TENANT = "tenant"
    RECORD = "record"
    LIST = "list"
    LOG = "log"


class Scope(NamedTuple):
    """One limit: of the app, of a tenant, or of something of a tenant's.

    Attributes:
        kind: which limit.
        tenant_id: whose; empty for the app.
        name: the record's call id or the log's function; empty where the kind says it all.
    """

    kind: ScopeKind
    tenant_id: str = ""
    name: str = ""

    @staticmethod
    def tenant(tenant_id: str) -> "Scope":
        """All requests of a tenant."""
        return Scope(ScopeKind.TENANT, tenant_id)

    @staticmethod
    def record(tenant_id: str, call_id: str) -> "Scope":
        """The requests for one call record."""
        return Scope(ScopeKind.RECORD, tenant_id, call_id)


APP = Scope(ScopeKind.APP)
