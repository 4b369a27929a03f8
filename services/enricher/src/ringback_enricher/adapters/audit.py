"""The audit trail of a re-derivation: that a tenant's records were published anew, by which revision; no content."""

import uuid
from datetime import datetime

from ringback_common.clock import iso
from ringback_common.outcomes import Message
from ringback_events.headers import audit_headers
from ringback_events.platform_events import AuditEntry
from ringback_events.topics import AUDIT

__all__ = ["audit_message"]

_ACTOR = "workload:rederive"
_ACTION = "records.rederive"


def audit_message(tenant_id: str, revision: int, reason: str, at: datetime, outcome: str) -> Message:
    """One entry about a tenant.

    Args:
        tenant_id: whose records.
        revision: the one that was published.
        reason: why, a word or a ticket.
        at: when.
        outcome: begun, done, incomplete, or the class of the failure.
    """
    entry = AuditEntry(
        actor=_ACTOR,
        action=_ACTION,
        tenant_id=tenant_id,
        targets=[f"revision:{revision}"],
        reason=reason,
        at=at,
        outcome=outcome,
    )
    headers = audit_headers(tenant_id=tenant_id, action=_ACTION, entry_id=str(uuid.uuid4()), at=iso(at))
    return Message(AUDIT.name, _ACTOR.encode(), entry.model_dump_json().encode(), headers)
