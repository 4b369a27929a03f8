"""From a body to records: the sample, the corpus of hostile bodies, mixed batches."""

import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from ringback_common.outcomes import Message
from ringback_events.fetch import FetchRequest
from ringback_events.headers import read_headers
from ringback_events.platform_events import LifecycleEvent
from ringback_ingest.client_state import CALL_RECORDS, Key, KeyRing, NotificationQuery, client_state
from ringback_ingest.webhook.core.bodies import BodyItems, items_of
from ringback_ingest.webhook.core.genuine import Proof
from ringback_ingest.webhook.core.limits import ITEMS
from ringback_ingest.webhook.core.notifications import Arrival, DecodedBody, RefusalReason, take

TENANT = "dc368399-474c-4d40-900c-6265431fd81f"
CALL = "e523d2ed-2966-4b6b-925b-754a88034cc5"
NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
OLD_TYPE = "#microsoft.graph.callrecord"
QUERY = NotificationQuery(CALL_RECORDS, "k2", "test")
ARRIVAL = Arrival(QUERY, "2026-11-22T12:00:00.000000Z")

Item = Callable[..., dict[str, Any]]
Body = Callable[..., bytes]


def taken(body: bytes, ring: KeyRing, arrival: Arrival = ARRIVAL) -> DecodedBody:
    """What a body becomes at noon."""
    return take(body, arrival, Proof(ring, NOW, "test"))


def request(message: Message) -> FetchRequest:
    """The fetch request in a record."""
    return FetchRequest.model_validate_json(message.value or b"")


def test_notification_becomes_a_fetch_request(item: Item, body: Body, ring: KeyRing) -> None:
    """Key, value and headers of the record are what the contract says."""
    arrival = Arrival(QUERY, ARRIVAL.received_at, (("traceparent", b"00-1-2-01"),))
    result = taken(body(item()), ring, arrival)
    assert not result.refused
    (message,) = result.messages
    assert (message.topic, message.key) == ("callrecords.internal.fetch.v1", f"{TENANT}|{CALL}".encode())
    assert request(message) == FetchRequest(
        tenant_id=TENANT,
        call_id=CALL,
        change_type="created",
        source="webhook",
        subscription_id="5d6e1b0f-4f51-4a3b-9d9c-1f2b3c4d5e6f",
        received_at=NOW,
    )
    headers = read_headers(message.headers)
    assert (headers.type, headers.subject, headers.traceparent) == (
        "ringback.callrecords.fetch-request.v1", CALL, "00-1-2-01"
    )  # fmt: skip


@pytest.mark.parametrize(
    ("members", "call_id"),
    [
        ({"resourceData": {"@odata.type": "#microsoft.graph.callRecord", "id": CALL.upper()}}, CALL),
        ({"resourceData": {"oDataType": "#Microsoft.Graph.callRecord", "id": CALL}}, CALL),
        ({"resourceData": {"@odata.type": "#microsoft.graph.callRecords.callRecord", "id": CALL}}, CALL),
        ({"resourceData": {"id": "teamsvisitor:Ab|1"}}, "teamsvisitor:Ab|1"),
        ({"resourceData": None}, CALL),
        ({"resourceData": {}, "resource": "/communications/callRecords/Opaque-1/"}, "Opaque-1"),
        ({"resourceData": None, "resource": f"communications/callRecords('{CALL.upper()}')"}, CALL),
        ({"resourceData": None, "resource": f"/communications/CallRecords(id='{CALL}')/"}, CALL),
        ({"resourceData": {}, "resource": "communications/callRecords('it''s/one')"}, "it's/one"),
        ({"resourceData": {"oDataType": OLD_TYPE, "oDataId": f"x/callRecords('{CALL}')"}, "resource": None}, CALL),
        ({"resourceData": {"oDataType": OLD_TYPE, "oDataId": f"x/callRecords/{CALL}"}, "resource": None}, CALL),
        ({"resourceData": None, "resource": f"communications/callRecords(%27{CALL}%27)"}, CALL),
        ({"resourceData": None, "resource": f"communications/callRecords%28'{CALL}'%29/"}, CALL),
        ({"resourceData": None, "resource": f"communications/callRecords('{CALL}')?$select=id"}, CALL),
        ({"resourceData": None, "resource": f"communications/callRecords/{CALL}/?a=b/c"}, CALL),
        ({"resourceData": {}, "resource": "communications/callRecords/a%2Fb%3Fc"}, "a/b?c"),
    ],
    ids=["canonical", "old type", "namespace", "opaque", "path alone", "slashes", "key",
         "named key", "quotes in a key", "link by key", "old link", "escaped quotes", "escaped brackets",
         "key and query", "segment and query", "escaped segment"],
)  # fmt: skip
def test_call_id_in_all_its_places(
    item: Item, body: Body, ring: KeyRing, members: dict[str, Any], call_id: str
) -> None:
    """Old and new members, data and path lead to the same canonical id."""
    (message,) = taken(body(item(**members)), ring).messages
    assert request(message).call_id == call_id


def test_a_null_is_no_lifecycle_event(item: Item, body: Body, ring: KeyRing) -> None:
    """Every member of a change notification is nullable in the metadata; null on the wire is as good as absent."""
    nulls = dict.fromkeys(("lifecycleEvent", "encryptedContent", "id"))
    data = body(item() | nulls)
    assert b'"lifecycleEvent":null' in data
    (message,) = taken(data, ring).messages
    assert (message.topic, request(message).call_id) == ("callrecords.internal.fetch.v1", CALL)


@pytest.mark.parametrize("name", ["missed", "subscriptionRemoved", "reauthorizationRequired", "somethingNew"])
def test_lifecycle_item_becomes_an_event(item: Item, body: Body, ring: KeyRing, name: str) -> None:
    """A lifecycle item needs neither changeType nor resource, and is known by its member, not by the address."""
    bare = item(lifecycleEvent=name, changeType=None, resource=None, resourceData=None)
    (message,) = taken(body(bare), ring).messages
    event = LifecycleEvent.model_validate_json(message.value or b"")
    assert (message.topic, message.key) == ("callrecords.internal.lifecycle.v1", TENANT.encode())
    assert (event.lifecycle_event, event.tenant_id) == (name, TENANT)


@pytest.mark.parametrize(
    ("members", "reason"),
    [
        ({"clientState": None}, RefusalReason.FORGED),
        ({"clientState": ""}, RefusalReason.FORGED),
        ({"clientState": "k2."}, RefusalReason.FORGED),
        ({"clientState": "x" * 129}, RefusalReason.FORGED),
        ({"clientState": "k2.é"}, RefusalReason.FORGED),
        ({"clientState": {"a": 1}}, RefusalReason.FORGED),
        ({"tenantId": "00000000-0000-0000-0000-000000000000"}, RefusalReason.FORGED),
        ({"tenantId": None}, RefusalReason.MALFORMED_ITEM),
        ({"tenantId": "contoso.com"}, RefusalReason.MALFORMED_ITEM),
        ({"tenantId": TENANT + "|x"}, RefusalReason.MALFORMED_ITEM),
        ({"tenantId": 7}, RefusalReason.MALFORMED_ITEM),
        ({"subscriptionId": None}, RefusalReason.MALFORMED_ITEM),
        ({"subscriptionId": "s" * 65}, RefusalReason.MALFORMED_ITEM),
        ({"resourceData": {"id": ""}}, RefusalReason.MALFORMED_ITEM),
        ({"resourceData": {"id": "i" * 257}}, RefusalReason.MALFORMED_ITEM),
        ({"resourceData": {"id": "a\r\nb"}}, RefusalReason.MALFORMED_ITEM),
        ({"resourceData": {"id": 1.5}}, RefusalReason.MALFORMED_ITEM),
        ({"resourceData": None, "resource": "communications/callRecords"}, RefusalReason.MALFORMED_ITEM),
        ({"resourceData": None, "resource": "communications/callRecords('')"}, RefusalReason.MALFORMED_ITEM),
        ({"resourceData": None, "resource": "communications/callRecords?$top=1"}, RefusalReason.MALFORMED_ITEM),
        ({"resourceData": {"@odata.type": "#microsoft.graph.message", "id": "x"}}, RefusalReason.OTHER_RESOURCE),
        ({"resourceData": {"@odata.type": 3, "id": "x"}}, RefusalReason.OTHER_RESOURCE),
        ({"resourceData": [], "resource": "users/1"}, RefusalReason.OTHER_RESOURCE),
        ({"lifecycleEvent": 1}, RefusalReason.MALFORMED_ITEM),
        ({"lifecycleEvent": "missed", "subscriptionExpirationDateTime": "soon"}, RefusalReason.MALFORMED_ITEM),
    ],
)
def test_item_is_refused_for_its_reason(
    item: Item, body: Body, ring: KeyRing, members: dict[str, Any], reason: RefusalReason
) -> None:
    """Each way an item can be wrong has one reason, and a good neighbour gets through."""
    result = taken(body(item(**members), item()), ring)
    assert result.refused == [reason]
    assert len(result.messages) == 1


NESTED = b'{"value":' + b"[" * 2000 + b"]" * 2000 + b"}"
BODIES: dict[str, tuple[bytes, RefusalReason]] = {
    "empty": (b"", RefusalReason.UNDECODABLE),
    "cut": (b'{"value":[{"tenantId":', RefusalReason.UNDECODABLE),
    "nested": (NESTED, RefusalReason.MALFORMED_ITEM),
    "NaN": (b'{"value":[NaN]}', RefusalReason.MALFORMED_ITEM),
    "infinite": (b'{"value":[1e999]}', RefusalReason.MALFORMED_ITEM),
    "half a surrogate pair": (b'{"value":["\\ud800"]}', RefusalReason.MALFORMED_ITEM),
    "not UTF-8": (b'{"value":["\xff"]}', RefusalReason.MALFORMED_ITEM),
    "a list behind a byte order mark": (b"\xef\xbb\xbf[]", RefusalReason.NOT_A_COLLECTION),
    "behind the end": (b'{"value":[]}x', RefusalReason.UNDECODABLE),
    "a list": (b"[]", RefusalReason.NOT_A_COLLECTION),
    "a number": (b"1", RefusalReason.NOT_A_COLLECTION),
    "no value": (b"{}", RefusalReason.NOT_A_COLLECTION),
    "value an object": (b'{"value":{}}', RefusalReason.NOT_A_COLLECTION),
    "value null": (b'{"value":null}', RefusalReason.NOT_A_COLLECTION),
    "too many": (orjson.dumps({"value": [{}] * (ITEMS + 1)}), RefusalReason.TOO_MANY_ITEMS),
    "item a string": (b'{"value":["x"]}', RefusalReason.MALFORMED_ITEM),
    "item null": (b'{"value":[null]}', RefusalReason.MALFORMED_ITEM),
}


@pytest.mark.parametrize(("hostile", "reason"), BODIES.values(), ids=BODIES.keys())
def test_hostile_bodies_are_counted_not_raised(hostile: bytes, reason: RefusalReason, ring: KeyRing) -> None:
    """A body nobody can use has a reason; nothing is raised, nothing is produced."""
    result = taken(hostile, ring)
    assert result.refused == [reason]
    assert result.messages == []


TEXTS: dict[str, Callable[[str], bytes]] = {
    "a byte order mark": lambda text: text.encode("utf-8-sig"),
    "UTF-16 with a mark": lambda text: text.encode("utf-16"),
    "UTF-16 without": lambda text: text.encode("utf-16-be"),
    "UTF-32": lambda text: text.encode("utf-32-le"),
    "NULs behind it": lambda text: text.encode() + b"\0\0",
    "a comma behind the last item": lambda text: text.replace("]}", ",]}").encode(),
    "a member behind the items": lambda text: text.replace("]}", '],"@odata.count":NaN}').encode(),
    "value twice": lambda text: text.replace('{"value":', '{"value":[],"value":', 1).encode(),
}


@pytest.mark.parametrize("encode", TEXTS.values(), ids=TEXTS.keys())
def test_whatever_other_readers_read_is_read(
    item: Item, body: Body, ring: KeyRing, encode: Callable[[str], bytes]
) -> None:
    """Encodings and marks that .NET and JavaScript take change nothing."""
    result = taken(encode(body(item()).decode()), ring)
    assert result.refused == []
    assert [request(message).call_id for message in result.messages] == [CALL]


ODD: dict[str, tuple[bytes, list[RefusalReason]]] = {
    "half a surrogate pair": (b'{"x":"Person \\ud83d"}', [RefusalReason.MALFORMED_ITEM]),
    "the other half": (b'{"x":"\\udE00"}', [RefusalReason.MALFORMED_ITEM]),
    "no UTF-8": (b'{"x":"\xc3("}', [RefusalReason.MALFORMED_ITEM]),
    "a raw line break": (b'{"x":"\n"}', [RefusalReason.MALFORMED_ITEM]),
    "NaN": (b'{"x":NaN}', [RefusalReason.MALFORMED_ITEM]),
    "beyond a double": (b'{"x":-1e999}', [RefusalReason.MALFORMED_ITEM]),
    "5,000 digits": (b'{"x":%s,"y":NaN}' % (b"9" * 5000), [RefusalReason.MALFORMED_ITEM]),
    "2,000 deep": (b'{"x":' + b"[" * 2000 + b'"]"' + b"]" * 2000 + b"}", [RefusalReason.MALFORMED_ITEM]),
    "duplicate members": (b'{"x":1,"x":"\\ud83d"}', [RefusalReason.MALFORMED_ITEM]),
    "no JSON": (b'{"x":nil}', [RefusalReason.UNDECODABLE]),
    "no closing bracket": (b'{"x":[1}', [RefusalReason.UNDECODABLE, RefusalReason.UNDECODABLE]),
    "an escape of its own": (b'{"x":"\\x"}', [RefusalReason.UNDECODABLE]),
    "commas and brackets in a text": (b'{"x":"],{\\"[","y":NaN}', [RefusalReason.MALFORMED_ITEM]),
}


@pytest.mark.parametrize(("odd", "refused"), ODD.values(), ids=ODD.keys())
def test_an_odd_item_takes_no_other_along(
    item: Item, body: Body, ring: KeyRing, odd: bytes, refused: list[RefusalReason]
) -> None:
    """The genuine items before and behind it are taken; it is refused for itself."""
    before, behind = item(), item(resourceData={"id": "behind"})
    data = body(before, "odd", behind).replace(b'"odd"', odd)
    result = taken(data, ring)
    calls = [request(message).call_id for message in result.messages]
    assert calls == ([CALL, "behind"] if len(refused) == 1 else [CALL])
    assert result.refused == refused


@pytest.mark.parametrize("name", [b"\\ud83d", b"\xff"])
def test_a_call_id_that_is_no_text_is_no_call_id(item: Item, body: Body, ring: KeyRing, name: bytes) -> None:
    """What was replaced while it was read is not what was sent: nobody is asked for it."""
    odd = body(item(resourceData={"id": "odd"}), item()).replace(b'"odd"', b'"odd%s"' % name)
    result = taken(odd, ring)
    assert (len(result.messages), result.refused) == (1, [RefusalReason.MALFORMED_ITEM])


def test_a_cut_body_keeps_its_whole_items(item: Item, body: Body, ring: KeyRing) -> None:
    """Whole items of a body that ends too early are taken, and that there was more is counted."""
    whole = body(item(), item())
    result = taken(whole[:-20], ring)
    assert (len(result.messages), result.refused) == (1, [RefusalReason.UNDECODABLE])


def test_what_is_wrapped_in_another_text_is_no_body(item: Item, body: Body, ring: KeyRing) -> None:
    """A request in the body of another one, a list, a text: nothing in them is an item."""
    for before, behind in ((b"POST / HTTP/1.1\r\n\r\n", b""), (b"[", b"],"), (b'"', b""), (b'{"x":', b"},")):
        assert taken(before + body(item()) + behind, ring).messages == []


def test_a_body_of_odd_pieces_costs_little(ring: KeyRing) -> None:
    """No piece is tried twice, and no more of them than items are allowed."""
    many = b'{"value":[' + b"{}," * 300_000 + b"nil]}"
    assert taken(many, ring).refused == [RefusalReason.TOO_MANY_ITEMS]
    assert len((items_of(many) or BodyItems()).found) == ITEMS + 1
    began = time.process_time()
    assert taken(b'{"value":["' + b'\\"' * 500_000, ring).refused == [RefusalReason.UNDECODABLE]
    assert time.process_time() - began < 2.0


def test_as_many_items_as_allowed(item: Item, body: Body, ring: KeyRing) -> None:
    """The limit itself is still taken, and duplicates are left to the consumer."""
    assert len(taken(body(*[item()] * ITEMS), ring).messages) == ITEMS


def test_call_records_are_for_their_slot_only(item: Item, body: Body, ring: KeyRing) -> None:
    """The clientState of one subscription proves nothing for another one of the same tenant."""
    other = Arrival(replace(QUERY, slot="emergency:all"), ARRIVAL.received_at)
    assert taken(body(item()), ring, other).refused == [RefusalReason.FORGED]
    mine = client_state(ring.active, TENANT, "emergency:all")
    assert taken(body(item(clientState=mine)), ring, other).refused == [RefusalReason.OTHER_RESOURCE]


def test_key_that_has_ended_proves_nothing(item: Item, body: Body, ring: KeyRing) -> None:
    """The retired key is accepted before its end and refused after it, by its own name: ours may still carry it."""
    old = body(item(clientState=client_state(ring.keys[1], TENANT, CALL_RECORDS)))
    of_old = Arrival(replace(QUERY, kid="k1"), ARRIVAL.received_at)
    assert len(take(old, of_old, Proof(ring, NOW, "test")).messages) == 1
    late = Proof(ring, datetime(2026, 11, 22, 13, 0, tzinfo=UTC), "test")
    assert take(old, of_old, late).refused == [RefusalReason.UNKNOWN_KID]


RING = KeyRing(Key("k", bytes(32)), (Key("k", bytes(32)),))
GENUINE = {
    "tenantId": TENANT,
    "subscriptionId": "s",
    "clientState": client_state(RING.active, TENANT, CALL_RECORDS),
    "resourceData": {"id": CALL},
    "resource": "communications/callRecords/x",
}
FORGED = GENUINE | {"clientState": client_state(Key("k", b"x" * 32), TENANT, CALL_RECORDS)}


@given(st.lists(st.sampled_from([GENUINE, FORGED, None, 7, {}])))
def test_mixed_batch_yields_exactly_the_genuine(items: list[Any]) -> None:
    """Of any mixture the genuine items become records, and every other one is counted."""
    result = take(orjson.dumps({"value": items}), ARRIVAL, Proof(RING, NOW, "test"))
    assert len(result.messages) == items.count(GENUINE)
    assert len(result.messages) + len(result.refused) == len(items)


SCALARS = st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False) | st.text(max_size=20)
JSON = st.recursive(SCALARS, lambda inner: st.lists(inner) | st.dictionaries(st.text(max_size=8), inner), max_leaves=8)


@given(st.dictionaries(st.sampled_from([*GENUINE, "lifecycleEvent", "changeType"]), JSON))
def test_any_members_of_a_proven_item(members: dict[str, Any]) -> None:
    """Whatever stands in an item with a right clientState, it becomes a valid record or is counted."""
    item = GENUINE | members | {"tenantId": TENANT, "clientState": GENUINE["clientState"]}
    result = take(orjson.dumps({"value": [item]}), ARRIVAL, Proof(RING, NOW, "test"))
    assert len(result.messages) + len(result.refused) == 1
    for message in result.messages:
        model = LifecycleEvent if "lifecycle" in message.topic else FetchRequest
        assert model.model_validate_json(message.value or b"").tenant_id == TENANT


@given(st.binary(max_size=30), st.integers(0, 3), st.sampled_from([b"", b'"', b"{", b"]", b",", b"\\"]))
def test_any_bytes_beside_genuine_items(data: bytes, at: int, last: bytes) -> None:
    """Every genuine item before the odd piece is taken, whatever the piece is."""
    whole = orjson.dumps(GENUINE)
    pieces = [whole] * 3
    pieces.insert(at, data + last)
    result = take(b'{"value":[' + b",".join(pieces) + b"]}", ARRIVAL, Proof(RING, NOW, "test"))
    assert at <= len(result.messages) <= 3


@given(st.binary(max_size=2000))
def test_any_bytes(data: bytes) -> None:
    """No body makes it raise."""
    assert take(data, ARRIVAL, Proof(RING, NOW, "test")).messages == []
