import ssl
from collections.abc import Sequence

import asyncpg
import pytest
from hypothesis import given
from hypothesis import strategies as st
from ringback_common.errors import ConfigError, Transient
from ringback_common.outcomes import Received
from ringback_sink.store.handlers import chunks
from ringback_sink.store.port import Refusal, Stored
from ringback_sink.store.postgres.bisect import bisected
from ringback_sink.store.postgres.failures import MissingPartition, RowRefused, StoreBug, StoreUnavailable, translated
from ringback_sink.store.postgres.sqlstate import Meaning, meaning


@pytest.mark.parametrize(
    ("sqlstate", "constraint", "expected"),
    [
        (None, None, Meaning.TRANSIENT),
        ("08006", None, Meaning.TRANSIENT),
        ("40001", None, Meaning.TRANSIENT),
        ("40P01", None, Meaning.TRANSIENT),
        ("53100", None, Meaning.TRANSIENT),
        ("53300", None, Meaning.TRANSIENT),
        ("55P03", None, Meaning.TRANSIENT),
        ("57014", None, Meaning.TRANSIENT),
        ("57P01", None, Meaning.TRANSIENT),
        ("57P03", None, Meaning.TRANSIENT),
        ("58030", None, Meaning.TRANSIENT),
        ("25006", None, Meaning.TRANSIENT),
        ("42501", None, Meaning.CONFIGURATION),
        ("23514", None, Meaning.PARTITION),
        ("23514", "some_check", Meaning.DATA),
        ("22008", None, Meaning.DATA),
        ("22P05", None, Meaning.DATA),
        ("23502", None, Meaning.DATA),
        ("54000", None, Meaning.DATA),
        ("54001", None, Meaning.DATA),
        ("28P01", None, Meaning.CONFIGURATION),
        ("3D000", None, Meaning.CONFIGURATION),
        ("42P01", None, Meaning.BUG),
        ("55006", None, Meaning.BUG),
        ("RB001", None, Meaning.BUG),
    ],
)
def test_sqlstate_decides(sqlstate: str | None, constraint: str | None, expected: Meaning) -> None:
    """Disk full and shutdown are never poison, a refused row is never a pause."""
    assert meaning(sqlstate, constraint) is expected


@pytest.mark.parametrize(
    ("raised", "expected"),
    [
        (asyncpg.DeadlockDetectedError("Process 1 waits"), Transient),
        (asyncpg.DiskFullError("could not extend"), Transient),
        (asyncpg.ConnectionDoesNotExistError("connection was closed"), Transient),
        (ConnectionRefusedError(111, "refused"), Transient),
        (TimeoutError(), Transient),
        (asyncpg.InterfaceError("connection is closed"), Transient),
        (asyncpg.InterfaceError("cannot perform operation: another operation is cancelling"), Transient),
        (asyncpg.InterfaceError("cannot perform operation: another operation is in progress"), Transient),
        (asyncpg.InternalClientError("cannot switch to state 15; another operation (2) is in progress"), Transient),
        (asyncpg.CheckViolationError("no partition of relation"), MissingPartition),
        (asyncpg.InvalidTextRepresentationError("invalid input: Zoë Müller"), RowRefused),
        (asyncpg.InvalidPasswordError("password of secret"), ConfigError),
        (asyncpg.UndefinedTableError("no table"), StoreBug),
    ],
)
def test_what_postgresql_says_never_gets_out(raised: Exception, expected: type[Exception]) -> None:
    """Every failure becomes one of ours; its words, which may quote data, and its cause stay behind."""
    with pytest.raises(expected) as failure, translated():
        raise raised
    assert str(raised) not in str(failure.value) or not str(raised)
    assert failure.value.__suppress_context__


@pytest.mark.parametrize(
    "raised",
    [
        asyncpg.InterfaceError("the server expects 2 arguments for this query, 1 was passed"),
        asyncpg.InternalClientError("unexpected number of columns"),
    ],
)
def test_a_wrong_call_of_the_driver_stays_a_bug(raised: Exception) -> None:
    """What waiting cannot mend is not waited for."""
    with pytest.raises(type(raised)), translated():
        raise raised


@given(st.lists(st.booleans(), max_size=70))
async def test_every_refused_item_stands_alone(good: list[bool]) -> None:
    """Exactly the refused items are rejected, the others are written, in few transactions."""
    written: list[int] = []
    transactions = 0

    async def write(items: Sequence[int]) -> Sequence[Stored]:
        nonlocal transactions
        transactions += 1
        if not all(good[item] for item in items):
            raise RowRefused("22008", "call")
        written.extend(items)
        return [Stored.ADDED] * len(items)

    results = await bisected(range(len(good)), write)
    assert results == [Stored.ADDED if fine else Refusal("SQLSTATE 22008") for fine in good]
    assert written == [item for item, fine in enumerate(good) if fine]
    assert transactions <= 1 + 2 * good.count(False) * max(len(good) - 1, 1).bit_length()


@given(st.lists(st.integers(0, 3 * 1024 * 1024), max_size=40))
def test_transactions_are_bounded_and_leave_nothing_out(sizes: list[int]) -> None:
    """Chunks follow each other without gap, and only a single large record may exceed the bound of octets."""
    lumps = {size: bytes(size) for size in sizes}
    waiting = [Received("t", 0, offset, 0, b"k", lumps[size]) for offset, size in enumerate(sizes)]
    cut = list(chunks(waiting))
    assert [record.offset for chunk in cut for record in chunk] == list(range(len(sizes)))
    assert all(len(chunk) == 1 or sum(len(record.value or b"") for record in chunk) <= 4 * 1024 * 1024 for chunk in cut)


def test_a_certificate_that_does_not_verify_is_named() -> None:
    """Readiness and log say so: it is tried again, but no network failure that passes."""
    with pytest.raises(StoreUnavailable, match="certificate does not verify"), translated():
        raise ssl.SSLCertVerificationError(1, "certificate verify failed: self-signed certificate")
