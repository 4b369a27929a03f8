"""The fetch request: "a call record appeared or changed, fetch it"."""

from pydantic import AwareDatetime

from ringback_events.fields import Event, Privacy, member

__all__ = ["FetchRequest"]


class FetchRequest(Event):
    """Asks the enricher for one call record. Value of the internal fetch lanes and their retry tiers."""

    tenant_id: str = member(Privacy.C1, "The Microsoft Entra tenant the call belongs to, lower case.")
    call_id: str = member(Privacy.C1, "Graph's id of the call record; an opaque string, usually a GUID.")
    change_type: str = member(
        Privacy.C0, "Graph's changeType; never decides anything, `created` may come again.", default="updated"
    )
    source: str = member(
        Privacy.C0,
        "Who asks: webhook, eventhub, lookup, reconcile, backfill, replay, release or canary. Open enumeration.",
    )
    subscription_id: str | None = member(
        Privacy.C1, "The subscription that announced the change, if one did.", default=None
    )
    received_at: AwareDatetime = member(
        Privacy.C0, "When Ringback received the notification, or the request was made, UTC; starts the 404 horizon."
    )
    min_version: int | None = member(
        Privacy.C0, "The lowest version that satisfies the request, if the asker knows one.", default=None
    )
