"""Actions by name, their parameters checked against the signature before anything is started."""

import inspect
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, get_type_hints

from pydantic import create_model
from ringback_common.errors import ConfigError

from ringback_faults.row import Declared, Row, Step, checked
from ringback_faults.scene import Scene

__all__ = ["action", "check_steps", "names", "perform"]

Carrier = Callable[..., Awaitable[None]]


@dataclass(frozen=True, slots=True)
class _Action:
    carry_out: Carrier
    parameters: type[Declared]


_ACTIONS: dict[str, _Action] = {}


def action(name: str) -> Callable[[Carrier], Carrier]:
    """Register a coroutine function `(scene, ...)` under a name that rows use in `do`."""

    def register(carry_out: Carrier) -> Carrier:
        if name in _ACTIONS:
            raise ValueError(f"there are two actions {name!r}")
        _ACTIONS[name] = _Action(carry_out, _model_of(name, carry_out))
        return carry_out

    return register


def names() -> list[str]:
    """Every action there is."""
    return sorted(_ACTIONS)


def check_steps(row: Row) -> None:
    """Raises ConfigError with one sentence if a step names no action or gives it what it does not take."""
    for number, step in enumerate(row.steps, start=1):
        try:
            _parameters(step)
        except ConfigError as mistake:
            raise ConfigError(f"{row.row}, step {number}: {mistake}") from None


async def perform(scene: Scene, step: Step) -> None:
    """Carry out one step; it notes its own acts."""
    given = _parameters(step)
    await _ACTIONS[step.do].carry_out(scene, **given)


def _parameters(step: Step) -> dict[str, Any]:
    known = _ACTIONS.get(step.do)
    if known is None:
        raise ConfigError(f"there is no action {step.do!r}; there are {', '.join(names())}")
    valid = checked(known.parameters, step.parameters, step.do)
    return {name: getattr(valid, name) for name in type(valid).model_fields}


def _model_of(name: str, carry_out: Carrier) -> type[Declared]:
    hints = get_type_hints(carry_out)
    fields: dict[str, Any] = {
        parameter.name: (hints[parameter.name], ... if parameter.default is parameter.empty else parameter.default)
        for parameter in list(inspect.signature(carry_out).parameters.values())[1:]
    }
    return create_model(name, __base__=Declared, **fields)
