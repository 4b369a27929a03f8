"""From the body of a POST to the records it becomes. Nothing here raises: what cannot be used is counted.

A malformed or forged item is answered 202 like a good one: a 4xx would make Graph send it again for four hours, and
would tell a forger what is wrong. Only what was not looked at, too many items, may not be answered so.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, TypeGuard, cast

import orjson
from pydantic import ValidationError
from ringback_common.outcomes import Headers, Message
from ringback_events.headers import fetch_request_headers, lifecycle_headers
from ringback_events.keys import call_key, canonical_id, tenant_key
from ringback_events.platform_events import LifecycleEvent
from ringback_events.topics import FETCH, LIFECYCLE
from ringback_events.wire import FetchRequestWire

from ringback_ingest.client_state import CALL_RECORDS
from ringback_ingest.webhook.core.limits import ITEMS

__all__ = ["Arrival", "Genuine", "Refused", "Taken", "take"]

Genuine = Callable[[str, str, bytes], bool]
"""(tenant id, slot, presented clientState) -> whether a subscription of ours carries it."""

_GUID = re.compile(r"[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}")
_CALL_RECORD_TYPE = re.compile(r"#microsoft\.graph\.(?:callrecords\.)?callrecord", re.IGNORECASE)
"""As notifications name it in several casings, and as the metadata does, by its namespace."""
_LONGEST_CLIENT_STATE = 128
_LONGEST_CALL_ID = 256
_LONGEST_NAME = 64


class Refused(StrEnum):
    """Why an item, or a whole body, was not taken; a metric label."""

    UNDECODABLE = "undecodable"
    NOT_A_COLLECTION = "not_a_collection"
    TOO_MANY_ITEMS = "too_many_items"
    MALFORMED_ITEM = "malformed_item"
    FORGED = "forged"
    OTHER_RESOURCE = "other_resource"


@dataclass(frozen=True, slots=True)
class Arrival:
    """What is the same for all items of a POST.

    Attributes:
        slot: of the subscription the POST's query names.
        received_at: RFC 3339 in UTC, as on the wire.
        trace: the server span as headers, empty without tracing.
    """

    slot: str
    received_at: str
    trace: Headers = ()


@dataclass(slots=True)
class Taken:
    """What a body became: records to be produced, and what was refused."""

    messages: list[Message] = field(default_factory=list[Message])
    refused: list[Refused] = field(default_factory=list[Refused])


def take(body: bytes, arrival: Arrival, genuine: Genuine) -> Taken:
    """Decode a body and make a record of every genuine item of it.

    Notifications and lifecycle events are told apart by their members, not by the path, for Graph sends both to one
    URL when a subscription names the same one twice.
    """
    taken = Taken()
    items = _items(body)
    if isinstance(items, Refused):
        taken.refused.append(items)
        return taken
    for item in items:
        outcome = _record(item, arrival, genuine)
        if isinstance(outcome, Refused):
            taken.refused.append(outcome)
        else:
            taken.messages.append(outcome)
    return taken


def _items(body: bytes) -> list[Any] | Refused:
    try:
        collection = orjson.loads(body)
    except orjson.JSONDecodeError:
        return Refused.UNDECODABLE
    items: Any = cast("dict[str, Any]", collection).get("value") if isinstance(collection, dict) else None
    if not isinstance(items, list):
        return Refused.NOT_A_COLLECTION
    found = cast("list[Any]", items)
    return Refused.TOO_MANY_ITEMS if len(found) > ITEMS else found


def _record(item: Any, arrival: Arrival, genuine: Genuine) -> Message | Refused:
    if not isinstance(item, dict):
        return Refused.MALFORMED_ITEM
    members = cast("dict[str, Any]", item)
    tenant_id, presented = members.get("tenantId"), members.get("clientState")
    if not isinstance(tenant_id, str) or _GUID.fullmatch(tenant_id) is None:
        return Refused.MALFORMED_ITEM
    if not isinstance(presented, str) or len(presented) > _LONGEST_CLIENT_STATE:
        return Refused.FORGED
    tenant_id = tenant_id.lower()
    if not genuine(tenant_id, arrival.slot, presented.encode()):
        return Refused.FORGED
    if members.get("lifecycleEvent") is not None:  # nullable in the metadata: null on a change notification is none
        return _lifecycle_event(members, tenant_id, arrival)
    return _fetch_request(members, tenant_id, arrival)


def _fetch_request(item: dict[str, Any], tenant_id: str, arrival: Arrival) -> Message | Refused:
    if arrival.slot != CALL_RECORDS or not _announces_call_record(item):
        return Refused.OTHER_RESOURCE
    call_id, subscription_id = _call_id(item), item.get("subscriptionId")
    if call_id is None or not _is_name(subscription_id):
        return Refused.MALFORMED_ITEM
    change_type = item.get("changeType")
    request: FetchRequestWire = {
        "tenantId": tenant_id,
        "callId": call_id,
        "changeType": change_type if _is_name(change_type) else "updated",
        "source": "webhook",
        "subscriptionId": canonical_id(subscription_id),
        "receivedAt": arrival.received_at,
    }
    headers = fetch_request_headers(
        tenant_id=tenant_id, call_id=call_id, source="webhook", received_at=arrival.received_at
    )
    return Message(FETCH.name, call_key(tenant_id, call_id), orjson.dumps(request), headers + arrival.trace)


def _lifecycle_event(item: dict[str, Any], tenant_id: str, arrival: Arrival) -> Message | Refused:
    subscription_id, name = item.get("subscriptionId"), item.get("lifecycleEvent")
    if not _is_name(subscription_id) or not _is_name(name):
        return Refused.MALFORMED_ITEM
    try:
        event = LifecycleEvent.model_validate(
            {
                "tenantId": tenant_id,
                "subscriptionId": canonical_id(subscription_id),
                "lifecycleEvent": name,
                "subscriptionExpirationDateTime": item.get("subscriptionExpirationDateTime"),
                "receivedAt": arrival.received_at,
            }
        )
    except ValidationError:
        return Refused.MALFORMED_ITEM
    headers = lifecycle_headers(
        tenant_id=tenant_id,
        subscription_id=event.subscription_id,
        lifecycle_event=event.lifecycle_event,
        received_at=arrival.received_at,
    )
    return Message(LIFECYCLE.name, tenant_key(tenant_id), event.model_dump_json().encode(), headers + arrival.trace)


def _announces_call_record(item: dict[str, Any]) -> bool:
    """By the type if it is told, else by the resource's path."""
    data = _resource_data(item)
    told = data.get("@odata.type", data.get("oDataType"))
    if told is not None:
        return isinstance(told, str) and _CALL_RECORD_TYPE.fullmatch(told) is not None
    resource = item.get("resource")
    return isinstance(resource, str) and "callrecords" in resource.lower()


def _call_id(item: dict[str, Any]) -> str | None:
    data = _resource_data(item)
    told = data.get("id")
    if told is None:
        told = _last_segment(item.get("resource")) or _last_segment(data.get("@odata.id", data.get("oDataId")))
    if not isinstance(told, str) or not 0 < len(told) <= _LONGEST_CALL_ID or not told.isprintable():
        return None
    return canonical_id(told)


def _last_segment(path: object) -> str | None:
    """`communications/callRecords/{id}` gives the id; a path that ends at the collection gives none."""
    if not isinstance(path, str):
        return None
    segment = path.rstrip("/").rpartition("/")[2]
    return segment if segment.lower() != "callrecords" else None


def _resource_data(item: dict[str, Any]) -> dict[str, Any]:
    data = item.get("resourceData")
    return cast("dict[str, Any]", data) if isinstance(data, dict) else {}


def _is_name(value: Any) -> TypeGuard[str]:
    return isinstance(value, str) and 0 < len(value) <= _LONGEST_NAME and value.isprintable()
