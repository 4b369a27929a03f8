"""Odd things in and beside notifications: what .NET and JavaScript read and others do not, and what gateways spoil."""

import random
from collections.abc import Callable, Mapping
from typing import Any

import orjson

__all__ = ["ALONE", "KINDS", "PASSING", "odd_alone", "odd_body"]

Items = list[dict[str, Any]]
_HALF_PAIR = b'"\\ud83d"'
_PLACE = "half a pair"


def _body(items: list[bytes]) -> bytes:
    return b'{"value":[' + b",".join(items) + b"]}"


def _plain(value: Items) -> bytes:
    return _body([orjson.dumps(item) for item in value])


def _beside(value: Items, odd: bytes, rng: random.Random) -> bytes:
    items = [orjson.dumps(item) for item in value]
    items.insert(rng.randint(0, len(items)), odd)
    return _body(items)


def _half_named(item: dict[str, Any]) -> bytes:
    """The item for a call whose id is half a surrogate pair; orjson does not write such."""
    data = {**item.get("resourceData", {}), "id": _PLACE, "@odata.id": _PLACE}
    return orjson.dumps({**item, "resource": _PLACE, "resourceData": data}).replace(b'"half a pair"', _HALF_PAIR)


def _half_within(value: Items, rng: random.Random) -> bytes:
    items = [orjson.dumps(item) for item in value]
    place = rng.randrange(len(items))
    items[place] = items[place][:-1] + b',"note":' + _HALF_PAIR + b"}"
    return _body(items)


KINDS: Mapping[str, Callable[[Items, random.Random], bytes]] = {
    "byteOrderMark": lambda value, _: b"\xef\xbb\xbf" + _plain(value),
    "utf16": lambda value, _: _plain(value).decode().encode("utf-16"),
    "halfPairWithin": _half_within,
    "halfPairBeside": lambda value, rng: _beside(value, _half_named(value[0]), rng),
    "noJsonBeside": lambda value, rng: _beside(value, b"nil", rng),
    "cut": lambda value, _: _plain(value)[:-2],
    "alone": lambda value, _: _plain(value),
}
"""The body of each kind; `alone` is an ordinary one, before which an odd one is sent."""
PASSING = frozenset({"noJsonBeside", "cut"})
"""What cannot be decoded whole, as a gateway spoils it once: the repetition is in order."""
ALONE = "alone"


def odd_body(kind: str, value: Items, rng: random.Random) -> bytes:
    """The body of a POST of these items, with something odd of that kind in it."""
    return KINDS[kind](value, rng)


def odd_alone(value: Items) -> bytes:
    """A body that holds nothing but an item for a call whose id is half a surrogate pair."""
    return _body([_half_named(value[0])])
