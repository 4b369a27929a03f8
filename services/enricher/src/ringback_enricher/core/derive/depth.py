"""How deeply JSON is nested: orjson reads 1,024 containers in each other and writes 254."""

from collections.abc import Iterable
from typing import Any, cast

__all__ = ["DEEPEST", "is_too_deep"]

_Container = dict[str, Any] | list[Any]

DEEPEST = 240
"""Containers in each other that can be written wherever in a record they stand; Graph's own records have ten."""


def is_too_deep(content: object) -> bool:
    """Whether objects and arrays are nested more than `DEEPEST` deep."""
    level = _containers([content])
    for _ in range(DEEPEST):
        level = [inner for each in level for inner in _containers(each.values() if isinstance(each, dict) else each)]
    return bool(level)


def _containers(values: Iterable[object]) -> list[_Container]:
    return [cast("_Container", value) for value in values if isinstance(value, (dict, list))]
