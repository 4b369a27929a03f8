"""A reader that lacks a right reads which, of what, and how it is given; one that PostgreSQL has no room for waits."""

import asyncpg
import pytest
from ringback_cli.store import Store, _lacking  # pyright: ignore[reportPrivateUsage] - PostgreSQL words it
from ringback_common.errors import ConfigError, RingbackError, Transient


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


@pytest.mark.parametrize(
    ("refused", "raised", "sentence"),
    [
        (asyncpg.TooManyConnectionsError("of Abbie"), Transient, "SQLSTATE 53300"),
        (asyncpg.CannotConnectNowError("of Abbie"), Transient, "SQLSTATE 57P03"),
        (asyncpg.ConnectionRejectionError("of Abbie"), Transient, "SQLSTATE 08004"),
        (asyncpg.InvalidPasswordError("of Abbie"), ConfigError, "InvalidPasswordError"),
        (asyncpg.InsufficientPrivilegeError('permission denied for database "x-y"'), ConfigError,
         'GRANT CONNECT ON DATABASE "x-y" TO reader'),
    ],
)  # fmt: skip
async def test_a_store_that_takes_no_connection_now_is_no_mistake(
    monkeypatch: pytest.MonkeyPatch, refused: Exception, raised: type[RingbackError], sentence: str
) -> None:
    """A full or a starting PostgreSQL ends with 1, as one that does not answer; what has to be mended with 2."""

    async def connect(*_: object, **__: object) -> None:
        raise refused

    monkeypatch.setenv("RINGBACK_STORE__DSN", "postgresql://reader@h/x-y")
    monkeypatch.setattr(asyncpg, "connect", connect)
    with pytest.raises(raised, match=sentence) as told:
        async with Store.connect():
            pass
    assert "Abbie" not in str(told.value)
