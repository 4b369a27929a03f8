"""Compiles the privacy classes of a model into a function that opens its wire form.

A member enters the open tier only if the open shape declares it and both declarations are C0 or C1; every C0 string
passes the gate of `ringback_events.labels`. What no model names is dropped. So a changed class changes the output,
and no field is named here.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple, cast, get_args, get_origin

from pydantic.fields import FieldInfo

from ringback_events.fields import Event, OpenAs, Privacy
from ringback_events.labels import Labels, gate

__all__ = ["Wire", "opener", "privacy_of"]

Wire = dict[str, Any]
Opener = Callable[[Wire], Wire]
_Known = dict[int, Wire]
"""What objects met so far became, by identity; kept no longer than the event that holds them all is opened."""
_Nested = Callable[[Any, _Known], Any]

_OPEN = frozenset({Privacy.C0, Privacy.C1})
_MOST_PLANS = 1024  # sets of members seen; a well-meaning publisher has a handful


def privacy_of(info: FieldInfo) -> Privacy:
    """The class of a field.

    Raises:
        TypeError: the field was declared without one.
    """
    extra = info.json_schema_extra
    if not isinstance(extra, dict) or "x-privacy" not in extra:
        raise TypeError(f"a field without a privacy class: {info.description!r}")
    return Privacy(cast("str", extra["x-privacy"]))


def opener(source: type[Event], target: type[Event]) -> Opener:
    """Return the function that turns the wire form of `source` into that of `target`.

    Members of `target` that `source` lacks are left to the caller.

    Raises:
        TypeError: an open member is free-form (`dict`, `Any`) or its nested shape has no open twin.
    """
    opens = _compiled(source, target)
    return lambda wire: opens(wire, {})


def _compiled(source: type[Event], target: type[Event]) -> _Nested:
    rules = _Rules()
    for name, target_info in target.model_fields.items():
        info = source.model_fields.get(name)
        if info is not None and {privacy_of(info), privacy_of(target_info)} <= _OPEN:
            _add(rules, info, target_info)
    return _function(rules)


@dataclass(frozen=True, slots=True)
class _Rules:
    """How the members of one shape open, by wire name; what is in none of the three stays closed."""

    plain: set[str] = field(default_factory=set[str])
    gated: dict[str, Labels] = field(default_factory=dict[str, Labels])
    nested: dict[str, _Nested] = field(default_factory=dict[str, _Nested])


def _add(rules: _Rules, info: FieldInfo, target_info: FieldInfo) -> None:
    wire_name = cast("str", info.alias)  # every Event has an alias generator
    many = _is_list(info.annotation)
    if (model := _event_in(info.annotation)) is not None:
        twin = _event_in(target_info.annotation)
        if twin is None:
            raise TypeError(f"{model.__name__} has no open twin")
        rules.nested[wire_name] = _each(_compiled(model, twin)) if many else _once(_compiled(model, twin))
    elif _is_free_form(info.annotation):
        raise TypeError(f"{wire_name} is free-form and cannot be open")
    elif (rule := _gate_rule(info)) is None:
        rules.plain.add(wire_name)
    elif many:
        rules.nested[wire_name] = _each_label(gate(rule))
    else:
        rules.gated[wire_name] = gate(rule)


def _each(open_one: _Nested) -> _Nested:
    return lambda wires, known: [open_one(wire, known) for wire in wires]


def _each_label(labels: Labels) -> _Nested:
    return lambda values, _: list(dict.fromkeys([labels[value] for value in values]))


def _once(open_one: _Nested) -> _Nested:
    """Open an object that several hold only once: the streams of one media share both its networks."""

    def opened(wire: Wire, known: _Known) -> Wire:
        found = known.get(id(wire))
        if found is None:
            found = known[id(wire)] = open_one(wire, known)
        return found

    return opened


class _Plan(NamedTuple):
    """What to do with a dict that has exactly certain members; dicts of one origin have few such sets."""

    closed: tuple[str, ...]
    gated: tuple[tuple[str, Labels], ...]
    nested: tuple[tuple[str, _Nested], ...]


def _plan(rules: _Rules, names: tuple[str, ...]) -> _Plan:
    known = rules.plain.union(rules.gated, rules.nested)
    return _Plan(
        tuple(name for name in names if name not in known),
        tuple((name, rules.gated[name]) for name in names if name in rules.gated),
        tuple((name, rules.nested[name]) for name in names if name in rules.nested),
    )


def _function(rules: _Rules) -> _Nested:
    plans: dict[tuple[str, ...], _Plan] = {}

    def learn(names: tuple[str, ...]) -> _Plan:
        if len(plans) >= _MOST_PLANS:
            plans.clear()
        plan = plans[names] = _plan(rules, names)
        return plan

    def opened(wire: Wire, known: _Known) -> Wire:
        # To copy a dict and delete what is closed takes half the time of picking what is open, member by member.
        names = tuple(wire)
        closed, gated, nested = plans.get(names) or learn(names)
        out = wire.copy()
        for name in closed:
            del out[name]
        for name, labels in gated:
            out[name] = labels[out[name]]
        for name, opens in nested:
            if (value := out[name]) is not None:
                out[name] = opens(value, known)
        return out

    return opened


def _gate_rule(info: FieldInfo) -> OpenAs | None:
    extra = cast("dict[str, Any]", info.json_schema_extra)
    if "x-opens" in extra:
        return OpenAs(extra["x-opens"])
    return OpenAs.LABEL if _holds_strings(info.annotation) and privacy_of(info) is Privacy.C0 else None


def _holds_strings(annotation: Any) -> bool:
    return annotation is str or any(_holds_strings(inner) for inner in get_args(annotation))


def _is_list(annotation: Any) -> bool:
    return get_origin(annotation) is list or any(_is_list(inner) for inner in get_args(annotation))


def _is_free_form(annotation: Any) -> bool:
    if annotation is Any or annotation is dict or get_origin(annotation) is dict:
        return True
    return any(_is_free_form(inner) for inner in get_args(annotation))


def _event_in(annotation: Any) -> type[Event] | None:
    if isinstance(annotation, type) and issubclass(annotation, Event):
        return annotation
    return next((model for inner in get_args(annotation) if (model := _event_in(inner)) is not None), None)
