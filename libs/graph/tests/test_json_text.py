"""Replies that orjson refuses and other readers of Graph take: read, mended where no encoding has a form, counted."""

import json
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from multidict import CIMultiDict
from ringback_common.errors import Transient
from ringback_common.metrics import GRAPH_MENDED_REPLIES
from ringback_graph.client import json_object
from ringback_graph.transport import Reply

HALF = "\ufffd"


def read(body: bytes) -> dict[str, Any] | None:
    """What a 200 with this body says."""
    return json_object(Reply(200, CIMultiDict({"Content-Type": "application/json"}), body))


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
    "a half as three octets": (b'{"displayName":"\xed\xa0\xbd"}', HALF * 3),
}


@pytest.mark.parametrize(("body", "name"), BODIES.values(), ids=BODIES.keys())
def test_what_dotnet_and_javascript_read_is_read_and_counted(body: bytes, name: str) -> None:
    """The value is what a browser shows, and the reply is counted once."""
    with pytest.raises(orjson.JSONDecodeError):
        orjson.loads(body)
    before = GRAPH_MENDED_REPLIES._value.get()
    assert (read(body) or {})["displayName"] == name
    assert GRAPH_MENDED_REPLIES._value.get() == before + 1


UNITS = st.lists(
    st.sampled_from(["\\ud83d", "\\udc00", "\\\\", "\\n", "u", "d83d", " ", "\\u00e9", '\\"']), max_size=12
)


@given(UNITS)
def test_every_half_and_nothing_else_is_replaced(units: list[str]) -> None:
    """Against the standard library's parser, which joins pairs and lets halves stand."""
    text = '{"x":"' + "".join(units) + '"}'
    expected = "".join(HALF if "\ud800" <= each <= "\udfff" else each for each in json.loads(text)["x"])
    assert read(text.encode()) == {"x": expected}


@pytest.mark.parametrize("body", [b"", b"\xef\xbb\xbf", b"<html>\\ud83d</html>", b'{"x":"\\ud83d"', b'{"x":"\\u"}'])
def test_no_json_stays_no_json(body: bytes) -> None:
    """The page of a proxy is not Graph's word, and is not counted as mended."""
    before = GRAPH_MENDED_REPLIES._value.get()
    with pytest.raises(Transient):
        read(body)
    assert GRAPH_MENDED_REPLIES._value.get() == before
