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
    """How a field opens where its class alone does not say: C0 strings always open as labels, C2 and C3 not at all."""

    TOKEN = "token"  # noqa: S105 - the name of a rule, not a secret
    """Instead of a C2 or C3 field a keyed token of the value, under the name `token`, if the token policy allows it."""
    LABEL = "label"
    """The value if it has the form of an enumeration's member, else `unknown`; Graph's enumerations are open."""
    VERSION = "version"
    """The value if it has the form of a product version, else `unknown`."""
    PREFIX = "prefix"
    """The value if it is a network cut to /24 (IPv4) or /48 (IPv6), else null."""


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


def member(
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
        opens: how the field opens, if not by its class alone.
        default: the value when the member is absent; without it the member is required.
        examples: illustrative values.
    """
    extra: dict[str, Any] = {"x-privacy": privacy.value}
    if unit is not None:
        extra["x-unit"] = unit
    if opens is not None:
        extra["x-opens"] = opens.value
    return Field(default=default, description=description, json_schema_extra=extra, examples=examples)
