"""An entry of the audit trail as a Kafka record."""

from typing import NamedTuple

from ringback_events.headers import Headers, audit_headers
from ringback_events.platform_events import AuditEntry
from ringback_events.times import wire_time
from ringback_events.topics import AUDIT

__all__ = ["AuditRecord", "audit_record"]


class AuditRecord(NamedTuple):
    """What a producer writes; its members are those of `ringback_common.outcomes.Message`, in that order."""

    topic: str
    key: bytes
    value: bytes
    headers: Headers


def audit_record(entry: AuditEntry, entry_id: str) -> AuditRecord:
    """The record of an entry, under the key of its actor.

    Args:
        entry: what was done.
        entry_id: `ce_id`, the writer's own; what was done twice has two.
    """
    headers = audit_headers(tenant_id=entry.tenant_id, action=entry.action, entry_id=entry_id, at=wire_time(entry.at))
    return AuditRecord(AUDIT.name, entry.actor.encode(), entry.model_dump_json().encode(), headers)
