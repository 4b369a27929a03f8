"""Which limit a 429 is about, for Graph does not say. Pure: no clock."""

from dataclasses import dataclass

from ringback_common.scopes import Scope

from ringback_graph.availability.fair_queue import QuotaRequest

__all__ = ["ThrottleScopeInference"]

_REMEMBERED = 300.0
"""Seconds for which what was learnt of a scope holds; a record's next attempt comes after 2 minutes."""


@dataclass(slots=True)
class _Evidence:
    """The last scope of a tenant that was refused, and whether others have passed since its Retry-After ended."""

    scope: Scope | None
    pause_ends: float
    others_pass: bool = False


class ThrottleScopeInference:
    """Takes a 429 for the tenant's, until it is proven that only one record, LIST or log of it is meant.

    That a record's own bucket is empty proves nothing: it is so all the time while a large record is read, and holding
    the record alone for a tenant's 429 would send every other request of the tenant into the pause. Proof is that the
    same scope is refused again after others of the tenant have passed.
    """

    def __init__(self) -> None:
        self._by_tenant: dict[str, _Evidence] = {}

    def infer(self, ticket: QuotaRequest, seconds: float, now: float) -> Scope:
        """The scope to hold for that many seconds after this ticket's request was refused."""
        known = self._by_tenant.get(ticket.tenant_id)
        if ticket.narrow is not None and known is not None and _proven(known, ticket.narrow, now):
            return ticket.narrow
        self._by_tenant[ticket.tenant_id] = _Evidence(ticket.narrow, now + seconds)
        return Scope.tenant(ticket.tenant_id)

    def answered(self, ticket: QuotaRequest, sent: float) -> None:
        """A request sent at that moment was not refused; one sent before the pause was over says nothing."""
        known = self._by_tenant.get(ticket.tenant_id)
        if known is not None and ticket.narrow != known.scope and sent >= known.pause_ends:
            known.others_pass = True


def _proven(known: _Evidence, scope: Scope, now: float) -> bool:
    return known.others_pass and known.scope == scope and now < known.pause_ends + _REMEMBERED
