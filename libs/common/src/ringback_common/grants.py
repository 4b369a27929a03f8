"""What a role lacks in PostgreSQL, from its own sentence of SQLSTATE 42501, and the GRANT that gives it.

Of the sentence only kind and name of the object are read: they are ours. Everything else of a failure may quote rows.
"""

import re
from enum import Enum
from urllib.parse import parse_qs, unquote, urlsplit

__all__ = ["Duty", "missing_right", "role_of"]

INSUFFICIENT_PRIVILEGE = "42501"

_NAME = r"(?P<name>[\w-]{1,63})"
_DENIED = re.compile(rf"permission denied for (?P<kind>database|schema|table|view|sequence|function) {_NAME}\Z")
_CONNECT = re.compile(rf'permission denied for database "{_NAME}"\Z')
"""Of a role that may not connect PostgreSQL quotes the database; of one that may not create in it, it does not."""
_TEMPORARY = re.compile(rf'permission denied to create temporary tables in database "{_NAME}"\Z')
_OWNER = re.compile(rf"must be owner of (?P<kind>table|view|function|schema) {_NAME}\Z")
_PLAIN = re.compile(r"[a-z_][a-z0-9_]*\Z")


class Duty(Enum):
    """What a role is to do in the store; its value is the rights on tables it needs for it."""

    OWN = "ALL"
    WRITE = "SELECT, INSERT, UPDATE, DELETE"
    READ = "SELECT"


def role_of(dsn: str) -> str | None:
    """The role that a connection string names; None if it leaves that to the environment."""
    try:
        parts = urlsplit(dsn)
        named = parts.username or next(iter(parse_qs(parts.query).get("user", ())), None)
    except ValueError:
        return None
    return unquote(named) if named else None


def missing_right(message: str, role: str | None, duty: Duty) -> str | None:
    """One sentence that names role, object and the GRANT to make; None if PostgreSQL's sentence is of no known form.

    Args:
        message: PostgreSQL's sentence of SQLSTATE 42501, in English.
        role: the role that connects, as `role_of` gives it.
        duty: what the role is to do.
    """
    who = f"The role {_quoted(role)} of RINGBACK_STORE__DSN" if role else "The role of RINGBACK_STORE__DSN"
    to, code = _quoted(role) if role else "<role>", f"(SQLSTATE {INSUFFICIENT_PRIVILEGE})"
    if owned := _OWNER.match(message):
        lack = f"does not own the {owned['kind']} {owned['name']} {code}"
        return f"{who} {lack}: run it as its owner, or GRANT <owner> TO {to}."
    if temporary := _TEMPORARY.match(message):
        lack = f"may make no temporary tables in the database {temporary['name']} {code}"
        return f"{who} {lack}: GRANT TEMPORARY ON DATABASE {_quoted(temporary['name'])} TO {to}."
    if refused := _CONNECT.match(message):
        lack = f"may not connect to the database {refused['name']} {code}"
        return f"{who} {lack}: GRANT CONNECT ON DATABASE {_quoted(refused['name'])} TO {to}."
    if denied := _DENIED.match(message):
        lack = f"lacks a right on the {denied['kind']} {denied['name']} {code}"
        return f"{who} {lack}: {_grant(denied['kind'], denied['name'], duty)} TO {to}."
    return None


def _grant(kind: str, name: str, duty: Duty) -> str:
    match kind:
        case "database":
            return f"GRANT CREATE ON DATABASE {_quoted(name)}"
        case "schema":
            return f"GRANT {'CREATE, USAGE' if duty is Duty.OWN else 'USAGE'} ON SCHEMA {_quoted(name)}"
        case "function":
            return "GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA callrecords"
        case "sequence":
            return f"GRANT USAGE, SELECT ON SEQUENCE callrecords.{_quoted(name)}"
        case _:
            return f"GRANT {duty.value} ON callrecords.{_quoted(name)}"


def _quoted(name: str) -> str:
    """An identifier as SQL wants it."""
    return name if _PLAIN.match(name) else '"' + name.replace('"', '""') + '"'
