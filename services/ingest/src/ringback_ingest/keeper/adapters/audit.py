"""The audit trail: what the keeper did to Graph, kept a year."""

import uuid
from collections import deque
from typing import Protocol

from ringback_common import logs
from ringback_common.errors import Transient
from ringback_common.outcomes import Message
from ringback_events.audit import audit_record
from ringback_events.platform_events import AuditEntry

__all__ = ["ACTOR", "Audit"]

ACTOR = "workload:keeper"
_WAITING = 1000
"""Entries kept while Kafka is away; without Kafka nothing proves ownership, so a keeper soon does nothing more."""

_log = logs.logger(__name__)


class Sender(Protocol):
    """Makes a record durable."""

    async def send(self, message: Message) -> None:
        """Return when acked; raise Transient otherwise."""
        ...


class Audit:
    """Writes entries in their order; what Kafka does not take is kept and tried again with the next."""

    def __init__(self, sender: Sender) -> None:
        self._sender = sender
        self._waiting: deque[Message] = deque(maxlen=_WAITING)

    async def write(self, entry: AuditEntry) -> None:
        """Write one entry, and those that still wait before it."""
        self._waiting.append(Message(*audit_record(entry, str(uuid.uuid4()))))
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
