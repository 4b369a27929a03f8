"""The items of a body, each read for itself where the body as a whole cannot be.

orjson reads what Graph sends. What it refuses may still hold genuine items. A byte order mark, UTF-16, half a surrogate
pair or a number beyond all bounds, which .NET and JavaScript read, is read by the standard library's parser. Where that
gives up as well, because one item is no JSON or nested too deeply, or the end is missing, the body is cut at the commas
of its array `value` and every piece is read alone.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, cast

import orjson
from ringback_common.json_text import text_of

from ringback_ingest.webhook.core.limits import ITEMS

__all__ = ["BodyItems", "items_of"]

_TOKEN = re.compile(r'"(?:[^"\\]++|\\.)*+"?|[\[\]{},]', re.DOTALL)
"""A text, closed or not, or what gives structure; possessive, so that no body costs more than its length."""
_MOST_TOKENS = 30_000
"""Of one body that is cut into pieces, some 900 notifications: the event loop is blocked for that time."""
_DEEPEST = 64
"""Containers in containers; nothing that is used lies deeper than four, and Python's parser gives up below 1,000."""
_BLANK = " \t\r\n\0"
_LENIENT = json.JSONDecoder(strict=False, parse_int=float)
"""Numbers are not used: as floats those of any length are read."""


@dataclass(slots=True)
class BodyItems:
    """What a body holds.

    Attributes:
        found: the items that could be read, in order.
        broken: how many pieces could not; a body without an array `value` in it is one.
    """

    found: list[Any] = field(default_factory=list[Any])
    broken: int = 0


def items_of(body: bytes) -> BodyItems | None:
    """Read a body; None if it is JSON, but no object with an array `value`."""
    try:
        collection = _collection(body)
    except (ValueError, RecursionError):
        return _salvaged(text_of(body))
    items = cast("dict[str, Any]", collection).get("value") if isinstance(collection, dict) else None
    return BodyItems(cast("list[Any]", items)) if isinstance(items, list) else None


def _collection(body: bytes) -> object:
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        return _LENIENT.decode(text_of(body))


_Token = tuple[str, int, int, int]
"""First character, start, end, and the depth it stands in; a bracket stands in what surrounds its container."""


def _tokens(text: str) -> Iterator[_Token]:
    depth = 0
    for found in islice(_TOKEN.finditer(text), _MOST_TOKENS):
        kind = text[found.start()]
        depth -= kind in "]}"
        yield kind, found.start(), found.end(), depth
        depth += kind in "[{"


def _salvaged(text: str) -> BodyItems:
    tokens, items = _tokens(text), BodyItems()
    begin = _begin(text, tokens)
    if begin is None:
        return BodyItems(broken=1)
    for piece in islice(_pieces(text, begin, tokens), ITEMS + 1):  # one more says that they are too many
        _read(piece, items)
    items.broken += not _ended(text, tokens)
    return items


def _begin(text: str, tokens: Iterator[_Token]) -> int | None:
    """Where the first item of the outermost object's array `value` begins, if the text is an object from its start."""
    if not text.lstrip(_BLANK).startswith("{"):
        return None
    name = ""
    for kind, start, end, depth in tokens:
        if depth == 1 and kind == '"':
            name = text[start:end]
        elif depth == 1 and kind == "[" and name == '"value"':
            return end
    return None


def _pieces(text: str, begin: int, tokens: Iterator[_Token]) -> Iterator[str]:
    """The texts between the array's commas; what lies too deep in one is null in it."""
    parts: list[str] = []
    for kind, start, end, depth in tokens:
        if depth == _DEEPEST and kind in "[{":
            parts.append(text[begin:start] + "null")
        elif depth == _DEEPEST and kind in "]}":
            begin = end
        elif depth == 1 or (depth == 2 and kind == ","):  # noqa: PLR2004 - the array stands in 1, its items in 2
            yield "".join((*parts, text[begin:start]))
            parts, begin = [], end
            if depth == 1:
                return


def _read(piece: str, items: BodyItems) -> None:
    """Read one item."""
    if not piece.strip(_BLANK):
        return  # of an empty array, or behind the last comma
    try:
        items.found.append(_LENIENT.decode(piece))
    except ValueError:
        items.broken += 1


def _ended(text: str, tokens: Iterator[_Token]) -> bool:
    """Whether the outermost object is closed and nothing follows it; False, too, when the array was cut off."""
    end = next((end for _, _, end, depth in tokens if depth == 0), None)
    return end is not None and not text[end:].strip(_BLANK)
