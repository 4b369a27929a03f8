"""The contracted events: the name of each, and the model its schema is made from."""

from ringback_events.fetch import FetchRequest
from ringback_events.fields import Event
from ringback_events.open import OpenCall, OpenSession, SessionsCompleted
from ringback_events.platform_events import AuditEntry, ControlEntry, LifecycleEvent, StatusReport
from ringback_events.record import CallRecord

__all__ = ["EVENTS"]

EVENTS: dict[str, type[Event]] = {
    "fetch-request": FetchRequest,
    "record": CallRecord,
    "call": OpenCall,
    "session": OpenSession,
    "sessions-completed": SessionsCompleted,
    "lifecycle-event": LifecycleEvent,
    "status-report": StatusReport,
    "control-entry": ControlEntry,
    "audit-entry": AuditEntry,
}
"""By event name, as in `ce_type` `ringback.callrecords.<name>.v1` and `contracts/schemas/<name>.v1.json`."""
