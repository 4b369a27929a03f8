"""The contract's models as the store sees them: their members, and the columns that a shape becomes.

A column bears its field's name; a field of a nested shape bears the path joined by `_` (`counts.people` is
`counts_people`), except that both networks of a stream drop the word: `caller_network.site` is `caller_site`.
Lists of shapes are tables of their own.
"""

import types
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Any, Union, get_args, get_origin

from pydantic.fields import FieldInfo
from ringback_events.fields import Event

__all__ = ["Flattened", "Member", "Values", "members", "prefix_of"]

Values = tuple[Any, ...]
"""One row: texts, integers of 64 bits, floats, booleans, lists of texts, and None."""

_PREFIXES = {"caller_network": "caller_", "callee_network": "callee_"}


@dataclass(frozen=True, slots=True)
class Member:
    """One field of a model; `nested` is its shape if it is one, `listed` marks an array."""

    name: str
    kind: Any
    optional: bool
    listed: bool
    field: FieldInfo

    @property
    def nested(self) -> type[Event] | None:
        """The model of a nested shape, or None for a plain value."""
        return self.kind if isinstance(self.kind, type) and issubclass(self.kind, Event) else None


def members(model: type[Event]) -> Iterator[Member]:
    """The fields of a model in their order."""
    for name, field in model.model_fields.items():
        kind, optional = _without_none(field.annotation)
        listed = get_origin(kind) is list
        yield Member(name, get_args(kind)[0] if listed else kind, optional, listed, field)


def _without_none(annotation: Any) -> tuple[Any, bool]:
    """A type without its `None`, and whether it had one."""
    if get_origin(annotation) not in {Union, types.UnionType}:
        return annotation, False
    kinds = [kind for kind in get_args(annotation) if kind is not type(None)]
    return kinds[0], len(kinds) != len(get_args(annotation))


def prefix_of(name: str) -> str:
    """What the columns of a nested shape begin with."""
    return _PREFIXES.get(name, f"{name}_")


class Flattened:
    """Turns a decoded shape into the values of its columns: plain members, lists, then nested shapes that may lack.

    The order serves speed: each group is one call in C.

    Attributes:
        names: the columns, in the order of the values.
        lists: where among the values the lists are.
    """

    def __init__(self, model: type[Event], prefix: str = "") -> None:
        plain = list(_plain(model))
        lists = [m.name for m in members(model) if m.listed and m.nested is None]
        nested = [(m.name, m.nested) for m in members(model) if m.nested is not None and m.optional and not m.listed]
        self._own = _getter([path for path, _ in plain] + lists)
        self._nested = [(attrgetter(name), Flattened(shape, prefix_of(name))) for name, shape in nested]
        self.lists = slice(len(plain), len(plain) + len(lists))
        names = [name for _, name in plain] + lists
        self.names: tuple[str, ...] = tuple(prefix + name for name in names) + tuple(
            name for _, shape in self._nested for name in shape.names
        )
        self._absent = (None,) * len(self.names)

    def __call__(self, shape: Any) -> Values:
        """The values of one row, in the order of `names`; all None if the shape is None."""
        if shape is None:
            return self._absent
        values = self._own(shape)
        for get, flattened in self._nested:
            values += flattened(get(shape))
        return values


def _plain(model: type[Event], path: str = "", prefix: str = "") -> Iterator[tuple[str, str]]:
    """Attribute path and column of every plain member, those of nested shapes that are always there included."""
    for member in members(model):
        if member.listed or member.name == "graph" or (member.nested is not None and member.optional):
            continue
        if member.nested is None:
            yield path + member.name, prefix + member.name
        else:
            yield from _plain(member.nested, f"{path}{member.name}.", f"{prefix}{member.name}_")


def _getter(paths: Sequence[str]) -> Callable[[Any], Values]:
    """Like attrgetter, but a tuple for any number of paths."""
    if len(paths) > 1:
        return attrgetter(*paths)
    if not paths:
        return lambda _shape: ()
    only = attrgetter(paths[0])
    return lambda shape: (only(shape),)
