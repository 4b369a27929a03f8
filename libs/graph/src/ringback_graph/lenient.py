"""Graph's JSON, also where .NET and JavaScript read it and orjson does not.

Read and counted are a byte order mark, another encoding, half a surrogate pair and a number beyond all bounds.
"""

import math
import re

import orjson
from ringback_common.json_text import text_of
from ringback_common.metrics import GRAPH_MENDED_REPLIES

__all__ = ["NO_JSON", "read_json"]

NO_JSON = object()
"""What `read_json` returns of bytes that are no JSON."""
_ESCAPE = re.compile(
    r"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|(?P<half>u[dD][89a-fA-F][0-9a-fA-F]{2})|.)",
    re.DOTALL,
)
"""A surrogate pair, half of one, or any other escape: of `\\\\ud83d`, a backslash and text, the first two."""
_TEXT_OR_NUMBER = re.compile(
    r'"(?:[^"\\]++|\\.)*+"?|(?P<number>-?(?:0|[1-9]\d*+)(?:\.\d++)?(?:[eE][+-]?\d++)?)', re.DOTALL | re.ASCII
)
"""A text, closed or not, or a number; possessive, so that no reply costs more than its length."""
_TOO_DEEP = "depth limit"
"""So begins what orjson says of more than 1,024 containers in each other."""


def read_json(data: bytes) -> object:
    """Parse the body of a reply; `NO_JSON` if it is no JSON, None if it is nested too deeply to be read."""
    try:
        return orjson.loads(data)
    except orjson.JSONDecodeError:
        return _mended(data)


def _mended(data: bytes) -> object:
    """Replace what cannot be published again by what can, and parse that.

    UTF-8 has no form for half a pair, and so neither Kafka's readers nor PostgreSQL would take it: it becomes U+FFFD.
    JSON has none for what a number beyond all bounds is read as, infinity: it becomes null, as JavaScript writes it.
    """
    try:
        content = _loaded(_ESCAPE.sub(_whole, text_of(data)))
    except orjson.JSONDecodeError as refused:
        return None if refused.msg.startswith(_TOO_DEEP) else NO_JSON
    GRAPH_MENDED_REPLIES.inc()
    return content


def _loaded(text: str) -> object:
    """Numbers are looked at only where orjson refuses one: that takes longer than all the rest."""
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return orjson.loads(_TEXT_OR_NUMBER.sub(_bounded, text))


def _whole(escape: re.Match[str]) -> str:
    return "\\ufffd" if escape["half"] else escape[0]


def _bounded(token: re.Match[str]) -> str:
    number = token["number"]
    return "null" if number and math.isinf(float(number)) else token[0]
