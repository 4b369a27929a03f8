"""S5: JSON that is meant to break a parser costs a count and an answer, no exception, no neighbour, not much memory."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from ringback_testing.public_port import STATE, TENANT, PublicPort, body, item
from ringback_testing.resident import MIB, resident

pytestmark = [pytest.mark.edge, pytest.mark.timeout(300), pytest.mark.asyncio(loop_scope="session")]

LIMIT = 1_048_576
GENUINE = body(item("bombed")).decode()


def _beside(member: str) -> bytes:
    """A genuine item with one more member, so that what is odd is met on the way to something wanted."""
    return GENUINE.replace('{"subscriptionId"', "{" + member + ',"subscriptionId"', 1).encode()


def _filled(unit: str, before: str = '{"value":[', after: str = "]}") -> bytes:
    """As many of a thing as fit into the limit."""
    return (before + unit * ((LIMIT - len(before) - len(after) - 8) // len(unit)) + unit.rstrip(",") + after).encode()


REFUSED: dict[str, tuple[bytes, int]] = {
    "a million brackets": (b"[" * LIMIT, 503),
    "a million braces": (b'{"a":' * (LIMIT // 5), 503),
    "350,000 empty objects": (_filled("{},"), 413),
    "350,000 empty objects and no end": (_filled("{},", after="nil"), 413),
    "empty arrays": (_filled("[],"), 413),
    "half a million zeros": (_filled("0,"), 413),
    "an object of 100,000 members": (_filled('"a":{},', "{", "}"), 202),
    "an array beside the items": (_filled("{},", '{"x":[', "]}"), 202),
    "one endless text": (b'{"value":["' + b"a" * (LIMIT - 20), 503),
    "one endless text of quotes": (b'{"value":["' + b'\\"' * (LIMIT // 2 - 20), 503),
    "one text of escapes": (_filled("\\u0000", '{"value":["', '"]}'), 202),
    "one text of half surrogate pairs": (_filled("\\ud800", '{"value":["', '"]}'), 202),
    "half a surrogate pair as the call": (GENUINE.replace('"bombed"', '"\\udfff"').encode(), 202),
    "UTF-8 with an overlong slash": (GENUINE.encode().replace(b"bombed", b"bombed\xc0\xaf"), 202),
    "nothing": (b"", 503),
}
"""None of these becomes a record. Too many items is 413: they were not looked at. Under our installation's id and a
valid key id 503 is what could not be decoded: a genuine item may be in it."""


@pytest.mark.parametrize(("data", "status"), REFUSED.values(), ids=REFUSED)
async def test_a_bomb_is_answered_and_becomes_nothing(unharmed: PublicPort, data: bytes, status: int) -> None:
    """The answer of its kind, no record, and at most 128 MiB in passing."""
    assert len(data) <= LIMIT
    async with resident(unharmed.process.pid) as memory:
        answer = await unharmed.post(data)
    assert answer.status == status
    assert memory.growth <= 128 * MIB
    assert not {"bombed", "bombed/"} & set(await unharmed.produced())


async def test_a_bomb_without_our_url_is_accepted(unharmed: PublicPort) -> None:
    """Nothing of ours can be in it: 202, so that it is not sent again."""
    for path in ("/graph/notifications", "/graph/notifications?slot=callrecords&kid=k2&installation=other"):
        assert (await unharmed.post(b"[" * 1000, path=path)).status == 202


TAKEN: dict[str, bytes] = {
    "a number of 5,000 digits": _beside('"x":' + "9" * 5000),
    "a fraction of 5,000 digits": _beside('"x":0.' + "9" * 5000),
    "an exponent without end": _beside('"x":1e' + "9" * 5),
    "a thousand deep": _beside('"x":' + "[" * 1000 + "]" * 1000),
    "1,025 deep": _beside('"x":' + "[" * 1025 + "]" * 1025),
    "2,000 deep": _beside('"x":' + '{"a":' * 2000 + "0" + "}" * 2000),
    "a paired surrogate": _beside('"x":"\\ud83d\\ude00"'),
    "half a surrogate pair": _beside('"x":"\\ud800"'),
    "NaN": _beside('"x":NaN'),
    "Infinity": _beside('"x":-Infinity'),
    "UTF-16": GENUINE.encode("utf-16"),
    "a byte order mark": GENUINE.encode("utf-8-sig"),
    "a trailing comma": GENUINE.replace("]}", ",]}").encode(),
    "an item that is no JSON": GENUINE.replace("]}", ",nil]}").encode(),
    "a NUL behind it": GENUINE.encode() + b"\0",
    "two texts": GENUINE.encode() * 2,
    "no end": GENUINE.removesuffix("}").encode(),
}
"""A genuine item with something odd in it, beside it or around it."""
NOT_WHOLE = frozenset({"an item that is no JSON", "two texts", "no end"})


@pytest.mark.parametrize("name", TAKEN)
async def test_what_is_odd_beside_a_genuine_item_does_not_take_it_along(unharmed: PublicPort, name: str) -> None:
    """The genuine item is in Kafka; 503 and a count if something beside it could not be decoded, else 202."""
    call = unharmed.call("odd")
    before = await _undecodable(unharmed)
    data = TAKEN[name].replace("bombed".encode("utf-16-le"), call.encode("utf-16-le"))
    answer = await unharmed.post(data.replace(b"bombed", call.encode()))
    assert call in await unharmed.produced()
    assert answer.status == (503 if name in NOT_WHOLE else 202)
    assert await _undecodable(unharmed) - before == (name in NOT_WHOLE)


async def test_of_duplicate_members_the_last_counts_for_check_and_use(unharmed: PublicPort) -> None:
    """One parser: what was proved is what is used. A forged clientState last is forged, whatever came first."""
    one, two, three = (unharmed.call("duplicate") for _ in range(3))
    forged_last = body(item(one)).replace(b'"tenantId"', b'"clientState":"k2.forged","tenantId"')
    genuine_last = body(item(two, clientState="k2.forged")).replace(
        b'"tenantId"', b'"clientState":"%s","tenantId"' % STATE.encode()
    )
    other_tenant_last = body(item(three))[:-3] + b',"tenantId":"%s"}]}' % TENANT.replace("d", "e").encode()
    for data in (forged_last, genuine_last, other_tenant_last):
        assert (await unharmed.post(data)).status == 202
    produced = await unharmed.produced()
    assert (one in produced, two in produced, three in produced) == (False, True, False)


NAMES = st.sampled_from(["value", "clientState", "tenantId", "subscriptionId", "resourceData", "lifecycleEvent", "id"])
VALUES = st.sampled_from([STATE, TENANT, "callRecords", "missed", "#microsoft.graph.callRecord"]) | st.text(max_size=20)
ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False) | VALUES,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(NAMES, inner, max_size=7),
    max_leaves=30,
)


def _changed(at: int, data: bytes) -> bytes:
    return GENUINE.encode()[:at] + data + GENUINE.encode()[at + len(data) :]


CHANGED = st.builds(
    _changed,
    st.integers(0, len(GENUINE)),
    st.binary(min_size=1, max_size=3),
)


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.lists(ANY_JSON, max_size=4).map(lambda items: body(*items)) | CHANGED)
async def test_no_json_and_no_bytes_are_answered_with_an_exception(webhook: PublicPort, data: bytes) -> None:
    """Items of any shape are answered 202, genuine bodies with bytes changed 202 or, when they are no JSON, 503."""
    assert (await webhook.post(data)).status in {202, 503}


async def test_three_megabytes_of_empty_objects_are_not_even_read(unharmed: PublicPort) -> None:
    """They would cost 23 times their size; they end at the limit of the body."""
    async with resident(unharmed.process.pid) as memory:
        assert (await unharmed.post(_filled("{},") * 3)).status == 413
    assert memory.growth <= 16 * MIB


async def _undecodable(port: PublicPort) -> float:
    """How many bodies were counted as no JSON."""
    metrics = await port.process.metrics()
    line = next(line for line in metrics.splitlines() if 'items_total{outcome="undecodable"}' in line)
    return float(line.rpartition(" ")[2])
