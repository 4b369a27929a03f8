"""Replies that orjson refuses and other readers of Graph take: read, mended where no encoding has a form, counted."""

import json
from typing import Any, cast

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from ringback_common.errors import Transient
from ringback_common.metrics import GRAPH_MENDED_REPLIES
from ringback_graph.client import json_object
from ringback_graph.exchange import Reply
from ringback_testing.scripted_graph import json_headers

HALF = "\ufffd"


def mended() -> float:
    """Replies that were mended so far."""
    return cast("Any", GRAPH_MENDED_REPLIES)._value.get()


def read(body: bytes) -> dict[str, Any] | None:
    """What a 200 with this body says."""
    return json_object(Reply(200, json_headers(), body))


PLAIN = '{"id":"a","displayName":"Person \u00e9 \U0001f600"}'
BODIES: dict[str, tuple[bytes, str]] = {
    "a byte order mark": (PLAIN.encode("utf-8-sig"), "Person \u00e9 \U0001f600"),
    "UTF-16": (PLAIN.encode("utf-16"), "Person \u00e9 \U0001f600"),
    "UTF-16 without a mark": (PLAIN.encode("utf-16-le"), "Person \u00e9 \U0001f600"),
    "a high half at the end": (b'{"displayName":"Person \\ud83d"}', f"Person {HALF}"),
    "a high half in between": (b'{"displayName":"\\uD83D Nr1"}', f"{HALF} Nr1"),
    "a low half": (b'{"displayName":"\\udE00"}', HALF),
    "halves in the wrong order": (b'{"displayName":"\\ude00\\ud83d"}', HALF * 2),
    "a half before a pair": (b'{"displayName":"\\ud83d\\ud83d\\ude00"}', HALF + "\U0001f600"),
    "a half behind a backslash": (b'{"displayName":"\\\\\\ud83d"}', "\\" + HALF),
    "text beside a half": (b'{"displayName":"\\\\ud83d\\ude00"}', "\\ud83d" + HALF),
    "a half as three bytes": (b'{"displayName":"\xed\xa0\xbd"}', HALF * 3),
}


@pytest.mark.parametrize(("body", "name"), BODIES.values(), ids=BODIES.keys())
def test_what_dotnet_and_javascript_read_is_read_and_counted(body: bytes, name: str) -> None:
    """The value is what a browser shows, and the reply is counted once."""
    with pytest.raises(orjson.JSONDecodeError):
        orjson.loads(body)
    before = mended()
    assert (read(body) or {})["displayName"] == name
    assert mended() == before + 1


DIGITS = "9" * 400
FAR: dict[str, tuple[str, object]] = {
    "an exponent": ("1e999", None),
    "a negative one": ("-1E+999", None),
    "digits without end": (DIGITS, None),
    "a fraction": (f"-{DIGITS}.5", None),
    "just too large": ("1.7976931348623159e308", None),
    "beside others": (
        '[1e999,-0.5,1e-999,18446744073709551616,"1e999","\\\\"]',
        [None, -0.5, 0.0, 2.0**64, "1e999", "\\"],
    ),
    "beside half a pair": ('["\\ud83d",1e999]', [HALF, None]),
    "in a text that ends with a backslash": ('["\\"1e999\\\\",1e999]', ['"1e999\\', None]),
}


@pytest.mark.parametrize(("reported", "value"), FAR.values(), ids=FAR.keys())
def test_a_number_beyond_all_bounds_is_null_and_counted(reported: str, value: object) -> None:
    """JavaScript reads Infinity and writes null of it; all else of the reply stays."""
    before = mended()
    assert read(f'{{"id":"a","x":{reported}}}'.encode()) == {"id": "a", "x": value}
    assert mended() == before + 1


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False) | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
        max_leaves=10,
    )
)
def test_beside_a_number_beyond_all_bounds_all_is_read_as_ever(reported: Any) -> None:
    """Against orjson: the number is null and no text, name or other number is touched."""
    data = orjson.dumps({"reported": reported, "far": None})
    far = data.removesuffix(b"null}") + b"-1e400}"
    assert read(far) == orjson.loads(data)


@pytest.mark.parametrize(
    "body",
    [
        b'{"x":' + b"[" * 1025 + b"]" * 1025 + b"}",
        b'{"x":1e999,"y":' + b"[" * 1025 + b"]" * 1025 + b"}",
        b'\xef\xbb\xbf{"x":' + b'{"a":' * 100_000 + b"1" + b"}" * 100_000 + b"}",
    ],
    ids=["deeper than can be read", "with a number beyond all bounds", "a hundred thousand"],
)
def test_what_is_nested_too_deeply_is_json_but_no_object(body: bytes) -> None:
    """Graph's word, as a list would be: it comes again however often it is asked for."""
    before = mended()
    assert read(body) is None
    assert mended() == before


UNITS = st.lists(
    st.sampled_from(["\\ud83d", "\\udc00", "\\\\", "\\n", "u", "d83d", " ", "\\u00e9", '\\"']), max_size=12
)


@given(UNITS)
def test_every_half_and_nothing_else_is_replaced(units: list[str]) -> None:
    """Against the standard library's parser, which joins pairs and lets halves stand."""
    text = '{"x":"' + "".join(units) + '"}'
    expected = "".join(HALF if "\ud800" <= each <= "\udfff" else each for each in json.loads(text)["x"])
    assert read(text.encode()) == {"x": expected}


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\xef\xbb\xbf",
        b"<html>\\ud83d</html>",
        b'{"x":"\\ud83d"',
        b'{"x":"\\u"}',
        b'{"x":1e999',
        b'{"x":NaN}',
        b'{"x":Infinity}',
        b'{"x":01e999}',
        b'{"x":1e}',
    ],
)
def test_no_json_stays_no_json(body: bytes) -> None:
    """The page of a proxy is not Graph's word, and is not counted as mended."""
    before = mended()
    with pytest.raises(Transient):
        read(body)
    assert mended() == before
