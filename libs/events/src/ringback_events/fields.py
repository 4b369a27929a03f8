"""How a field of an event is declared: its meaning, its unit, its privacy class and the way it opens."""

from enum import StrEnum
from typing import Any

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

__all__ = ["Event", "OpenAs", "Privacy", "member"]


class Privacy(StrEnum):
    """The class of a field; the open tier holds C0 and C1 only."""

    C0 = "C0"
    """Technical: codec, jitter, counts."""
    C1 = "C1"
    """Pseudonymous: tenant, call id, tokens, country, site."""
    C2 = "C2"
    """Personal: names, user principal names, user ids, free text."""
    C3 = "C3"
    """Sensitive: full numbers, addresses, hardware ids, the payload as Graph sent it."""


class OpenAs(StrEnum):
    """What the open tier may carry instead of a C2 or C3 field."""

    TOKEN = "token"  # noqa: S105 - the name of a rule, not a secret
    """A keyed token of the value, under the name `token`, if the token policy allows it."""


class Event(BaseModel):
    """Base of every contracted shape: camelCase on the wire, closed for the publisher."""

    model_config = ConfigDict(
        alias_generator=to_camel,
        populate_by_name=True,
        serialize_by_alias=True,
        extra="forbid",
        frozen=True,
        use_attribute_docstrings=False,
    )


def member(  # noqa: ANN201 - pydantic's Field is typed as the field's own type
    privacy: Privacy,
    description: str,
    *,
    unit: str | None = None,
    opens: OpenAs | None = None,
    default: Any = ...,
    examples: list[Any] | None = None,
) -> Any:
    """Declare one field of an event.

    Args:
        privacy: the class of the field; decides whether it enters the open tier.
        description: one sentence for readers of the schema.
        unit: the unit of a number, e.g. `ms`, `bit/s`, `ratio 0..1`, `%`.
        opens: what the open tier carries instead, for C2 and C3.
        default: the value when the member is absent; without it the member is required.
        examples: illustrative values.
    """
    extra: dict[str, Any] = {"x-privacy": privacy.value}
    if unit is not None:
        extra["x-unit"] = unit
    if opens is not None:
        extra["x-opens"] = opens.value
    return Field(default=default, description=description, json_schema_extra=extra, examples=examples)
