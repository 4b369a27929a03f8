"""The internal events that run the platform: lifecycle, status, control."""

from pydantic import AwareDatetime

from ringback_events.fields import Event, Privacy, member

__all__ = ["ControlEntry", "LifecycleEvent", "StatusReport"]

C0, C1 = Privacy.C0, Privacy.C1


class LifecycleEvent(Event):
    """One lifecycle notification of Graph. Value of `callrecords.internal.lifecycle.v1`."""

    tenant_id: str = member(C1, "The Microsoft Entra tenant, lower case.")
    subscription_id: str = member(C1, "The subscription it is about.")
    lifecycle_event: str = member(C0, "reauthorizationRequired, subscriptionRemoved, missed; open enumeration.")
    subscription_expiration_date_time: AwareDatetime | None = member(C0, "Expiry Graph names, UTC.", default=None)
    received_at: AwareDatetime = member(C0, "When Ringback was told, UTC.")


class StatusReport(Event):
    """What one process knows right now. Value of `callrecords.internal.status.v1`, key process|tenant, every 10 s."""

    process: str = member(C0, "keeper, fetch, store, ...; with the part after it, e.g. fetch/lanes.")
    instance: str = member(C0, "Random id of the process instance, new at each start.")
    tenant_id: str | None = member(C1, "The tenant it is about; null for the process itself.", default=None)
    reported_at: AwareDatetime = member(C0, "When it was said, UTC; older than 30 s means unknown.")
    state: str = member(C0, "ok, waiting, paused, halted or failing.")
    detail: dict[str, float | int | str | bool | None] = member(
        C0, "Named facts: ages in seconds, counts, expiries; no identity, no payload."
    )


class ControlEntry(Event):
    """State every process but the webhook obeys. Value of `callrecords.internal.control.v1`, key kind|subject; a tombstone lifts it."""

    kind: str = member(C0, "halt (a process stopped itself), pause (a tenant), suppress (a person's token).")
    subject: str = member(C1, "What it is about: a process, a tenant id, a keyed token.")
    reason: str = member(C0, "Why, one of a bounded set.")
    since: AwareDatetime = member(C0, "Since when, UTC.")
    by: str = member(C0, "Which process or operator's workload wrote it.")
