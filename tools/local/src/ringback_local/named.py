"""The servers that somebody else runs and that are to be used here: named by variables of this purpose alone. Pure.

The settings of services are no such names: in a shell in which those of production are exported `make demo` would make
topics and databases there.
"""

from collections.abc import Iterable

__all__ = ["KAFKA", "POSTGRES", "foreign", "left_out"]

_OURS = "RINGBACK_LOCAL"
KAFKA = f"{_OURS}_KAFKA"
"""`host:port` of a Kafka to use instead of one of our own, several separated by commas."""
POSTGRES = f"{_OURS}_POSTGRES"
"""Connection string of a PostgreSQL to use instead of one of our own; its role must be allowed to make databases."""


def foreign(names: Iterable[str]) -> list[str]:
    """Of the names of environment variables those that are settings of services: nothing here reads them."""
    return sorted(name for name in names if name.startswith("RINGBACK_") and not name.startswith(_OURS))


def left_out(names: Iterable[str]) -> str | None:
    """A sentence for who starts a stack while such variables are set, None without them; their values are not told."""
    found = foreign(names)
    if not found:
        return None
    return (
        f"Not used, though set: {', '.join(found)}. Everything here runs on servers and settings of its own; "
        f"{KAFKA} and {POSTGRES} name others."
    )
