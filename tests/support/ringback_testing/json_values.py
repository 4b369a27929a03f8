"""JSON as a test reads it: objects and lists by their Python types, which `isinstance` alone leaves without members."""

from typing import Any, TypeGuard

__all__ = ["Json", "is_list", "is_object"]

Json = dict[str, Any]
"""An object of Graph's or of ours; its members are whatever was sent."""


def is_object(value: object) -> TypeGuard[Json]:
    """Whether a parsed value is an object."""
    return isinstance(value, dict)


def is_list(value: object) -> TypeGuard[list[Any]]:
    """Whether a parsed value is a list."""
    return isinstance(value, list)
