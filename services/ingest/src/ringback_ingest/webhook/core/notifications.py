"""From the body of a POST to the records it becomes. Nothing here raises: what cannot be used is counted.

What cannot be used has a reason; what that means for the answer is decided in `answers`.
"""

import re
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, TypeGuard, cast
from urllib.parse import unquote

import orjson
from pydantic import ValidationError
from ringback_common.outcomes import Message, MessageHeaders
from ringback_events.headers import fetch_request_headers, lifecycle_headers
from ringback_events.keys import call_key, canonical_id, tenant_key
from ringback_events.platform_events import LifecycleEvent
from ringback_events.topics import FETCH, LIFECYCLE
from ringback_events.wire import FetchRequestWire

from ringback_ingest.client_state import CALL_RECORDS, KeyStatus, NotificationQuery, is_kid
from ringback_ingest.webhook.core.bodies import items_of
from ringback_ingest.webhook.core.genuine import Proof
from ringback_ingest.webhook.core.limits import ITEMS

__all__ = ["Arrival", "DecodedBody", "RefusalReason", "take"]

_GUID = re.compile(r"[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}")
_CALL_RECORD_TYPE = re.compile(r"#microsoft\.graph\.(?:callrecords\.)?callrecord", re.IGNORECASE)
"""As notifications name it in several casings, and as the metadata does, by its namespace."""
_KEY = re.compile(r"\((?:\s*\w+\s*=\s*)?'((?:[^']|'')*)'\)/*\Z")
"""OData's other way to name an entity, `callRecords('id')`: a quote in it is doubled (OData URL Conventions 4.3.1)."""
_LONGEST_CLIENT_STATE = 128
_LONGEST_CALL_ID = 256
_LONGEST_NAME = 64


class RefusalReason(StrEnum):
    """Why an item, or a whole body, was not taken; a metric label.

    `undecodable` is a body, or a piece of one, that cannot be read; `unknown_kid` an item that carries our installation
    id and a key id that the keys file does not hold, lists as withdrawn, or whose key has ended.
    """

    UNDECODABLE = "undecodable"
    NOT_A_COLLECTION = "not_a_collection"
    TOO_MANY_ITEMS = "too_many_items"
    MALFORMED_ITEM = "malformed_item"
    FORGED = "forged"
    UNKNOWN_KID = "unknown_kid"
    OTHER_RESOURCE = "other_resource"


@dataclass(frozen=True, slots=True)
class Arrival:
    """What is the same for all items of a POST.

    Attributes:
        query: what the POST's URL says about the subscription.
        received_at: RFC 3339 in UTC, as on the wire.
        trace: the server span as headers, empty without tracing.
    """

    query: NotificationQuery
    received_at: str
    trace: MessageHeaders = ()


@dataclass(slots=True)
class DecodedBody:
    """What a body became: records to be produced, and what was refused."""

    messages: list[Message] = field(default_factory=list[Message])
    refused: list[RefusalReason] = field(default_factory=list[RefusalReason])


def take(body: bytes, arrival: Arrival, proof: Proof) -> DecodedBody:
    """Decode a body and make a record of every genuine item of it.

    Notifications and lifecycle events are distinguished by their members, not by the path, for Graph sends both to one
    URL when a subscription names the same one twice.
    """
    items = items_of(body)
    if items is None:
        return DecodedBody(refused=[RefusalReason.NOT_A_COLLECTION])
    if len(items.found) > ITEMS:
        return DecodedBody(refused=[RefusalReason.TOO_MANY_ITEMS])
    taken = DecodedBody(refused=[RefusalReason.UNDECODABLE] * items.broken)
    for item in items.found:
        outcome = _record(item, arrival, proof)
        if isinstance(outcome, RefusalReason):
            taken.refused.append(outcome)
        else:
            taken.messages.append(outcome)
    return taken


def _record(item: Any, arrival: Arrival, proof: Proof) -> Message | RefusalReason:
    if not isinstance(item, dict):
        return RefusalReason.MALFORMED_ITEM
    members = cast("dict[str, Any]", item)
    tenant_id, presented = members.get("tenantId"), members.get("clientState")
    if not isinstance(tenant_id, str) or _GUID.fullmatch(tenant_id) is None:
        return RefusalReason.MALFORMED_ITEM
    if not isinstance(presented, str) or len(presented) > _LONGEST_CLIENT_STATE:
        return RefusalReason.FORGED
    tenant_id = tenant_id.lower()
    if not proof.genuine(tenant_id, arrival.query.slot, presented.encode(errors="replace")):
        return _unproven(presented, arrival.query, proof)
    if members.get("lifecycleEvent") is not None:  # nullable in the metadata: null on a change notification is none
        return _lifecycle_event(members, tenant_id, arrival)
    return _fetch_request(members, tenant_id, arrival)


def _unproven(presented: str, query: NotificationQuery, proof: Proof) -> RefusalReason:
    """A subscription of ours names one key id in its URL and in its clientState."""
    kid = presented.partition(".")[0]
    ours = kid == query.kid and is_kid(kid) and proof.key_status(query) not in {None, KeyStatus.VALID}
    return RefusalReason.UNKNOWN_KID if ours else RefusalReason.FORGED


def _fetch_request(item: dict[str, Any], tenant_id: str, arrival: Arrival) -> Message | RefusalReason:
    if arrival.query.slot != CALL_RECORDS or not _announces_call_record(item):
        return RefusalReason.OTHER_RESOURCE
    call_id, subscription_id = _call_id(item), item.get("subscriptionId")
    if call_id is None or not _is_name(subscription_id):
        return RefusalReason.MALFORMED_ITEM
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


def _lifecycle_event(item: dict[str, Any], tenant_id: str, arrival: Arrival) -> Message | RefusalReason:
    subscription_id, name = item.get("subscriptionId"), item.get("lifecycleEvent")
    if not _is_name(subscription_id) or not _is_name(name):
        return RefusalReason.MALFORMED_ITEM
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
        return RefusalReason.MALFORMED_ITEM
    headers = lifecycle_headers(
        tenant_id=tenant_id,
        subscription_id=event.subscription_id,
        lifecycle_event=event.lifecycle_event,
        received_at=arrival.received_at,
    )
    return Message(LIFECYCLE.name, tenant_key(tenant_id), event.model_dump_json().encode(), headers + arrival.trace)


def _announces_call_record(item: dict[str, Any]) -> bool:
    """By the type if it is given, else by the resource's path."""
    data = _resource_data(item)
    named = data.get("@odata.type", data.get("oDataType"))
    if named is not None:
        return isinstance(named, str) and _CALL_RECORD_TYPE.fullmatch(named) is not None
    resource = item.get("resource")
    return isinstance(resource, str) and "callrecords" in resource.lower()


def _call_id(item: dict[str, Any]) -> str | None:
    data = _resource_data(item)
    call_id = data.get("id")
    if call_id is None:
        call_id = _id_in(item.get("resource")) or _id_in(data.get("@odata.id", data.get("oDataId")))
    return canonical_id(call_id) if _is_name(call_id, _LONGEST_CALL_ID) else None


def _id_in(path: object) -> str | None:
    """`communications/callRecords/{id}` and `…/callRecords('{id}')` give the id; the collection's path gives none.

    A path may be a URL's: a query behind it is no part of the id, and escapes stand for what they escape.
    """
    if not isinstance(path, str):
        return None
    escaped = path.partition("?")[0].rstrip("/")
    if (key := _KEY.search(unquote(escaped))) is not None:
        return key[1].replace("''", "'")
    segment = unquote(escaped.rpartition("/")[2])
    return segment if segment.lower() != "callrecords" else None


def _resource_data(item: dict[str, Any]) -> dict[str, Any]:
    data = item.get("resourceData")
    return cast("dict[str, Any]", data) if isinstance(data, dict) else {}


def _is_name(value: Any, longest: int = _LONGEST_NAME) -> TypeGuard[str]:
    """Printable, and as it was sent: U+FFFD stands for what was no character."""
    return isinstance(value, str) and 0 < len(value) <= longest and value.isprintable() and "\ufffd" not in value
