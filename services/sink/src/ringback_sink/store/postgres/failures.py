"""From asyncpg's exceptions to what they mean; their messages quote data and are never passed on."""

import ssl
from collections.abc import Generator
from contextlib import contextmanager

import asyncpg
from ringback_common.errors import ConfigError, RingbackError, Transient
from ringback_common.grants import Duty, missing_right

from ringback_sink.store.postgres.sqlstate import Meaning, meaning

__all__ = ["MissingPartition", "RowRefused", "StoreUnavailable", "translated"]


class RowRefused(RingbackError):  # noqa: N818 - what PostgreSQL did
    """PostgreSQL refuses data of this batch; `sqlstate` says why without quoting it."""

    def __init__(self, sqlstate: str, table: str | None) -> None:
        super().__init__(f"SQLSTATE {sqlstate}")
        self.sqlstate = sqlstate
        self.table = table


class MissingPartition(RingbackError):  # noqa: N818 - what is the matter
    """No partition takes a row; make it and write again."""


class StoreUnavailable(Transient):
    """PostgreSQL is away, full, locked or shutting down."""

    def __init__(self, sqlstate: str | None, cause: str = "connection lost") -> None:
        super().__init__(f"SQLSTATE {sqlstate}" if sqlstate else cause)
        self.sqlstate = sqlstate


_CUT_OFF = ("closed", "closing", "another operation")
"""Of two classes that also mean bugs: a connection that is gone, and one that finds what was cut off still under way,
be it on rollback or because PostgreSQL's error came in as a COPY was about to begin. A connection here has one user at
a time, so the operation is never another's."""


@contextmanager
def translated(role: str | None = None, duty: Duty = Duty.WRITE) -> Generator[None]:
    """Turn what asyncpg raises into Transient, Refused, MissingPartition or ConfigError; a bug stays what it is.

    The cause is cut off: PostgreSQL's messages and details quote the values of rows.

    Args:
        role: who connects, for the sentence about a right that is missing.
        duty: what the role is to do.
    """
    try:
        yield
    except asyncpg.InsufficientPrivilegeError as failure:
        sentence = missing_right(str(failure.args[0]) if failure.args else "", role, duty)
        raise (ConfigError(sentence) if sentence else _translated(failure)) from None
    except asyncpg.PostgresError as failure:
        raise _translated(failure) from None
    except ssl.SSLCertVerificationError:  # an OSError too, but not one that passes by itself
        raise StoreUnavailable(None, "its certificate does not verify") from None
    except (OSError, TimeoutError) as failure:
        raise StoreUnavailable(None, type(failure).__name__) from None
    except (asyncpg.InterfaceError, asyncpg.InternalClientError) as failure:
        if any(word in str(failure) for word in _CUT_OFF):
            raise StoreUnavailable(None) from None
        raise


def _translated(failure: asyncpg.PostgresError) -> Exception:
    sqlstate = failure.sqlstate
    match meaning(sqlstate, failure.constraint_name):
        case Meaning.TRANSIENT:
            return StoreUnavailable(sqlstate)
        case Meaning.DATA:
            return RowRefused(str(sqlstate), failure.table_name)
        case Meaning.PARTITION:
            return MissingPartition("no partition takes the row")
        case Meaning.CONFIGURATION:
            return ConfigError(
                f"The store refuses RINGBACK_STORE__DSN (SQLSTATE {sqlstate}): check user, password, database, rights."
            )
        case Meaning.BUG:
            return StoreBug(f"SQLSTATE {sqlstate} on table {failure.table_name}")


class StoreBug(RingbackError):  # noqa: N818 - the taxonomy's word
    """PostgreSQL refuses our SQL itself: the release is wrong, not the data."""
