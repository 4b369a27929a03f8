"""A reader that lacks a right reads which, of what, and how it is given."""

import asyncpg
from ringback_cli.store import _lacking


def test_role_object_and_grant_are_named() -> None:
    """Of PostgreSQL's sentence the object alone; a sentence of another kind is not repeated."""
    refused = asyncpg.InsufficientPrivilegeError("permission denied for view status_now")
    assert _lacking(refused, "reader") == (
        "The role reader of RINGBACK_STORE__DSN lacks a right on the view status_now (SQLSTATE 42501): "
        "GRANT SELECT ON callrecords.status_now TO reader."
    )
    other = _lacking(asyncpg.InsufficientPrivilegeError("policy of Abbie"), "reader")
    assert "Abbie" not in other
    assert "check the rights of its role" in other
