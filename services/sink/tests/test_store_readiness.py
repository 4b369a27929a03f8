"""Readiness follows PostgreSQL although no call comes."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import asyncpg
import pytest
from ringback_common.errors import ConfigError, RingbackError
from ringback_sink.store.postgres import database
from ringback_sink.store.postgres.database import Database
from ringback_sink.store.postgres.failures import StoreUnavailable, translated
from ringback_testing import eventually


@asynccontextmanager
async def followed(dsn: str) -> AsyncGenerator[Database]:
    """A database that answered once, and is asked ten times a second."""
    asked = Database(dsn)
    asked._unanswered = None
    following = asyncio.create_task(asked.follow(0.1))
    try:
        yield asked
    finally:
        following.cancel()


async def test_a_dead_postgresql_is_seen_although_no_call_comes() -> None:
    """Nobody listens any more: the process is not ready."""
    async with followed("postgresql://u:hush@127.0.0.1:1/d") as asked:
        await eventually(lambda: asked.away is not None)
        assert asked.away == "The store is away (ConnectionRefusedError)."


async def test_one_that_hangs_is_seen_as_well(monkeypatch: pytest.MonkeyPatch) -> None:
    """It takes the connection and says nothing."""
    monkeypatch.setattr(database, "_ANSWER_SECONDS", 0.2)
    taken = list[asyncio.StreamWriter]()
    silent = await asyncio.start_server(lambda _reader, writer: taken.append(writer), "127.0.0.1", 0)
    port = silent.sockets[0].getsockname()[1]
    async with silent, followed(f"postgresql://u:hush@127.0.0.1:{port}/d") as asked:
        await eventually(lambda: asked.away is not None)
        assert asked.away == "The store is away (TimeoutError)."
    for writer in taken:
        writer.close()
        await writer.wait_closed()


async def test_while_a_transaction_asks_nobody_else_does(monkeypatch: pytest.MonkeyPatch) -> None:
    """It says by itself whether the store is there; a question that waits behind a long one proves nothing."""
    monkeypatch.setattr(database, "_ANSWER_SECONDS", 0.05)
    async with followed("postgresql://u:hush@127.0.0.1:1/d") as asked, asked._turn:
        await asyncio.sleep(0.4)
        assert asked.away is None


@pytest.fixture
def answering(monkeypatch: pytest.MonkeyPatch) -> Database:
    """A database whose connection answers whatever it is asked."""
    asked = Database("postgresql://u:hush@127.0.0.1:1/d")

    async def connected() -> Connection:
        return Connection()

    monkeypatch.setattr(asked, "_connected", connected)
    return asked


class Connection:
    """Takes every statement and begins every transaction."""

    async def execute(self, _statement: str) -> None:
        """Done."""

    @asynccontextmanager
    async def transaction(self) -> AsyncGenerator[None]:
        """Begun."""
        yield

    def terminate(self) -> None:
        """Gone."""


@pytest.mark.parametrize(
    "refusal", [asyncpg.DiskFullError, asyncpg.LockNotAvailableError, asyncpg.ReadOnlySQLTransactionError]
)
async def test_a_store_that_takes_no_write_is_not_ready_although_it_answers(
    answering: Database, refusal: type[asyncpg.PostgresError]
) -> None:
    """A full disk, a lock or a server that takes no writes leaves reading as it was; the next write ends it."""
    following = asyncio.create_task(answering.follow(0.01))
    with pytest.raises(StoreUnavailable):
        async with answering.transaction():
            raise refusal("of Abbie")
    await asyncio.sleep(0.1)
    assert answering.away == f"The store is away (SQLSTATE {refusal.sqlstate})."
    async with answering.transaction():
        pass
    assert answering.away is None
    following.cancel()


async def test_a_write_that_nobody_has_in_hand_any_more_is_forgotten(
    answering: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its partition went to another process: no further attempt will say that the store takes writes."""
    monkeypatch.setattr(database, "_REFUSAL_STANDS", 0.1)
    following = asyncio.create_task(answering.follow(0.01))
    with pytest.raises(StoreUnavailable):
        async with answering.transaction():
            raise asyncpg.DiskFullError
    await eventually(lambda: answering.away is None)
    following.cancel()


async def test_data_that_is_refused_shows_that_the_store_is_there(answering: Database) -> None:
    """What it says about a row it says after it has taken the connection and the statement."""
    for said in (asyncpg.DiskFullError, asyncpg.NumericValueOutOfRangeError):
        with pytest.raises(RingbackError):
            async with answering.transaction():
                raise said
    assert answering.away is None


@pytest.mark.parametrize("failure", [asyncpg.InterfaceError("of Abbie"), AttributeError("of Abbie")])
async def test_no_failure_ends_the_asking(
    answering: Database, monkeypatch: pytest.MonkeyPatch, failure: Exception
) -> None:
    """Of one that nobody foresaw the class is told, and PostgreSQL is asked again by another connection."""
    failing, forgotten = [failure], list[bool]()

    async def execute(_self: Connection, _statement: str) -> None:
        if failing:
            raise failing[0]

    monkeypatch.setattr(Connection, "execute", execute)
    monkeypatch.setattr(answering, "_forget", lambda: forgotten.append(True))
    following = asyncio.create_task(answering.follow(0.01))
    await eventually(lambda: answering.away == f"The store is away ({type(failure).__name__}).")
    assert forgotten
    failing.clear()
    await eventually(lambda: answering.away is None)
    following.cancel()


def test_a_missing_right_names_role_object_and_grant() -> None:
    """Of PostgreSQL's sentence alone; what it adds may quote rows."""
    refused = asyncpg.InsufficientPrivilegeError("permission denied for table call")
    with pytest.raises(ConfigError) as mistake, translated("writer"):
        raise refused
    assert "GRANT SELECT, INSERT, UPDATE, DELETE ON callrecords.call TO writer" in str(mistake.value)
    with pytest.raises(ConfigError) as other, translated("writer"):
        raise asyncpg.InsufficientPrivilegeError("new row of Abbie violates the policy")
    assert "Abbie" not in str(other.value)
    assert "SQLSTATE 42501" in str(other.value)
