"""S2: of any batch only the genuine items reach Kafka, and the answer does not say which they were."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from ringback_ingest.client_state import CALL_RECORDS, client_state, keys_of, new_keys_file
from ringback_testing.public_port import KEYS, STATE, TENANT, PublicPort, body, item

pytestmark = [pytest.mark.edge, pytest.mark.timeout(300), pytest.mark.asyncio(loop_scope="session")]

KEY = keys_of(KEYS, "KEYS").active
OTHER_TENANT = "7d3a2f10-5b64-4f0e-8c51-0a9b8c7d6e5f"
OTHER_KEY = keys_of(new_keys_file("k2", bytes(range(2, 34))), "KEYS").active

Forge = Callable[[str], Any]

FORGED: dict[str, Forge] = {
    "no clientState": lambda call: {name: value for name, value in item(call).items() if name != "clientState"},
    "empty": lambda call: item(call, clientState=""),
    "null": lambda call: item(call, clientState=None),
    "a list around it": lambda call: item(call, clientState=[STATE]),
    "a character less": lambda call: item(call, clientState=STATE[:-1]),
    "a character more": lambda call: item(call, clientState=STATE + "A"),
    "another case": lambda call: item(call, clientState=STATE.swapcase()),
    "another kid": lambda call: item(call, clientState="k1" + STATE[2:]),
    "the kid alone": lambda call: item(call, clientState="k2."),
    "another tenant's": lambda call: item(call, clientState=client_state(KEY, OTHER_TENANT, CALL_RECORDS)),
    "ours for another tenant": lambda call: item(call, tenantId=OTHER_TENANT),
    "another slot's": lambda call: item(call, clientState=client_state(KEY, TENANT, "emergency:p")),
    "another key's": lambda call: item(call, clientState=client_state(OTHER_KEY, TENANT, CALL_RECORDS)),
    "very long": lambda call: item(call, clientState=STATE * 1000),
    "with a NUL": lambda call: item(call, clientState=STATE + "\0"),
    "with a full-width dot": lambda call: item(call, clientState=STATE.replace(".", "\uff0e")),
}
MALFORMED: dict[str, Forge] = {
    "no object": lambda _call: None,
    "a number": lambda _call: 17,
    "nested": lambda call: [item(call)],
    "no tenant": lambda call: item(call, tenantId=None),
    "a tenant of another shape": lambda call: item(call, tenantId=f"{TENANT}\n"),
    "no call": lambda _call: item("x", resourceData={}, resource=""),
    "a call too long": lambda call: item(call, resourceData={"id": call * 300}),
    "a call with a control": lambda call: item(call, resourceData={"id": call + "\x1b[2J"}),
    "no subscription": lambda call: item(call, subscriptionId=None),
    "another resource": lambda call: item(call, resourceData={"@odata.type": "#microsoft.graph.user", "id": call}),
}
BAD = list((FORGED | MALFORMED).values())


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(kinds=st.lists(st.none() | st.sampled_from(BAD), max_size=12))
async def test_only_genuine_items_of_any_batch_reach_kafka(webhook: PublicPort, kinds: list[Forge | None]) -> None:
    """Whatever the mixture and the order: 202, and the genuine calls once each, no other."""
    calls = [webhook.call("batch" if forge is None else "forged") for forge in kinds]
    items = [item(call) if forge is None else forge(call) for forge, call in zip(kinds, calls, strict=True)]
    answer = await webhook.post(body(*items))
    assert (answer.status, answer.body) == (202, b"")
    produced = await webhook.produced()
    genuine = [call for call in calls if call.startswith("batch")]
    assert produced[len(produced) - len(genuine) :] == genuine
    assert [call for call in produced if call.startswith("forged")] == []
