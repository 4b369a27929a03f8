"""The internal events that run the platform: lifecycle, status, control, audit."""

from pydantic import AwareDatetime

from ringback_events.fields import Event, Privacy, member

__all__ = ["AuditEntry", "ControlEntry", "LifecycleEvent", "QuotaShare", "StatusReport"]

C0, C1 = Privacy.C0, Privacy.C1


class LifecycleEvent(Event):
    """One lifecycle notification of Graph. Value of `callrecords.internal.lifecycle.v1`."""

    tenant_id: str = member(C1, "The Microsoft Entra tenant, lower case.")
    subscription_id: str = member(C1, "The subscription it is about.")
    lifecycle_event: str = member(C0, "reauthorizationRequired, subscriptionRemoved, missed; open enumeration.")
    subscription_expiration_date_time: AwareDatetime | None = member(C0, "Expiry Graph names, UTC.", default=None)
    received_at: AwareDatetime = member(C0, "When Ringback received the notification, UTC.")


class StatusReport(Event):
    """The state of a process at a moment. Value of `callrecords.internal.status.v1`, key process|tenant, every 10 s."""

    process: str = member(C0, "keeper, fetch, store, ...; with the part after it, e.g. fetch/lanes.")
    instance: str = member(C0, "Random id of the process instance, new at each start.")
    tenant_id: str | None = member(C1, "The tenant it is about; null for the process itself.", default=None)
    reported_at: AwareDatetime = member(C0, "When it was written, UTC; older than 30 s means unknown.")
    state: str = member(C0, "ok, waiting, paused, halted or failing.")
    detail: dict[str, float | int | str | bool | None] = member(
        C0, "Named facts: ages in seconds, counts, expiries; no identity, no payload."
    )


class QuotaShare(Event):
    """What one process has of the limit that Graph sets for the app over all tenants; requests in any 20 s."""

    ordinal: int = member(C0, "Counts the entries of this process.")
    want: int = member(C0, "Requests it asks for.", unit="requests")
    claim: int = member(
        C0, "Requests it uses once it has read this entry, if those of all together are no more.", unit="requests"
    )
    held: int = member(C0, "The most it may have used in the last 20 s: what the others count.", unit="requests")


class ControlEntry(Event):
    """A halt, pause or throttle that every process but the webhook follows; a tombstone lifts it.

    Value of `callrecords.internal.control.v1`, key kind|subject.
    """

    kind: str = member(
        C0,
        "halt (a process stopped itself), pause (a tenant), throttle (Graph asks to wait), share (of the app's limit).",
    )
    subject: str = member(C1, "What it is about: a process, a tenant id, process/tenant id, or process/instance.")
    reason: str = member(C0, "Why, one of a bounded set.")
    since: AwareDatetime = member(C0, "Since when, UTC.")
    by: str = member(C0, "Which process or operator's workload wrote it.")
    until: AwareDatetime | None = member(C0, "When it ends by itself, UTC; null if it does not.", default=None)
    share: QuotaShare | None = member(C0, "Of a share: how much; null for the other kinds.", default=None)


class AuditEntry(Event):
    """What a person or a workload did. Value of `callrecords.restricted.audit.v1`, key actor; no content, only ids."""

    actor: str = member(C1, "Who: `workload:<process>` or `operator:<name the platform authenticated>`.")
    action: str = member(
        C0, "What, e.g. subscription.create, subscription.renew, subscription.delete. Open enumeration."
    )
    tenant_id: str | None = member(C1, "The tenant it was done to, if one.", default=None)
    targets: list[str] = member(C1, "Ids of what it was done to; empty when nothing came to be.")
    reason: str = member(C0, "Why, one of a bounded set, or the operator's ticket.")
    at: AwareDatetime = member(C0, "When, UTC.")
    outcome: str = member(C0, "begun, done, incomplete, gone, conflict, or the class of the failure.")
