"""The audit trail: what the keeper did to Graph, kept a year."""

import uuid
from collections import deque
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from ringback_common import logs
from ringback_common.clock import iso
from ringback_common.errors import Transient
from ringback_common.outcomes import Message
from ringback_events.headers import audit_headers
from ringback_events.platform_events import AuditEntry
from ringback_events.topics import AUDIT

__all__ = ["Audit", "AuditAction"]

_ACTOR = "workload:keeper"
_WAITING = 1000
"""Entries kept while Kafka is away; without Kafka nothing proves ownership, so a keeper soon does nothing more."""

_log = logs.logger(__name__)


class Sender(Protocol):
    """Makes a record durable."""

    async def send(self, message: Message) -> None:
        """Return when acked; raise Transient otherwise."""
        ...


@dataclass(frozen=True, slots=True)
class AuditAction:
    """One action, finished."""

    tenant_id: str
    action: str
    targets: tuple[str, ...]
    reason: str
    outcome: str
    at: datetime


class Audit:
    """Writes entries in the order of the deeds; what Kafka does not take is kept and tried again with the next."""

    def __init__(self, sender: Sender) -> None:
        self._sender = sender
        self._waiting: deque[Message] = deque(maxlen=_WAITING)

    async def write(self, audit_action: AuditAction) -> None:
        """Write one entry, and those that still wait before it."""
        self._waiting.append(_message(audit_action))
        await self.flush()

    async def flush(self) -> None:
        """Write what waits."""
        while self._waiting:
            message = self._waiting[0]
            try:
                await self._sender.send(message)
            except Transient:
                _log.warning("Audit entries wait for Kafka.", count=len(self._waiting))
                return
            if self._waiting and self._waiting[0] is message:
                self._waiting.popleft()


def _message(audit_action: AuditAction) -> Message:
    entry = AuditEntry(
        actor=_ACTOR,
        action=audit_action.action,
        tenant_id=audit_action.tenant_id,
        targets=list(audit_action.targets),
        reason=audit_action.reason,
        at=audit_action.at,
        outcome=audit_action.outcome,
    )
    headers = audit_headers(
        tenant_id=audit_action.tenant_id,
        action=audit_action.action,
        entry_id=str(uuid.uuid4()),
        at=iso(audit_action.at),
    )
    return Message(AUDIT.name, _ACTOR.encode(), entry.model_dump_json().encode(), headers)
