"""The servers that are not ours and are to be used here: named by variables of this purpose alone. Pure.

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


def left_out(names: Iterable[str], *, own_servers: bool = False) -> str | None:
    """A sentence about variables that are set and not used, None without one; it holds no value of a variable.

    Args:
        names: of the environment's variables.
        own_servers: what is started breaks its servers, so that those named for this purpose are not used either.
    """
    given = set(names)
    found = foreign(given) + (sorted(given & {KAFKA, POSTGRES}) if own_servers else [])
    if not found:
        return None
    others = "." if own_servers else f"; {KAFKA} and {POSTGRES} name others."
    return f"Not used, though set: {', '.join(found)}. Everything here runs on servers and settings of its own{others}"
