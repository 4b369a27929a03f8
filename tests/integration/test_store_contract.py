"""What every engine of the store promises: the same tests for each, and what they hold afterwards compared."""

import itertools
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

import asyncpg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from ringback_common.clock import SystemClock
from ringback_common.outcomes import Emit, Reject
from ringback_common.settings import LimitsSettings
from ringback_events.record import CallRecord
from ringback_sink.store.core.record import decode
from ringback_sink.store.handlers import RecordsStep
from ringback_sink.store.memory import MemoryStore
from ringback_sink.store.model.flat import FlatRow
from ringback_sink.store.model.operations import Decision, Head, Report
from ringback_sink.store.model.version import CHILD_COLUMNS, Version
from ringback_sink.store.port import Result, Store, Stored
from ringback_sink.store.postgres.store import PostgresStore
from ringback_testing.call_records import call_record, received
from ringback_testing.properties import examples

pytestmark = [pytest.mark.integration, pytest.mark.timeout(300)]

NOW = datetime.now(UTC)
Rank = tuple[str, int, int]
"""Call, version, revision."""


class Contents(Protocol):
    """What an engine holds, read past the port."""

    async def calls(self) -> list[tuple[Any, ...]]:
        """Call, version, revision, verdict, start and sites of each call."""
        ...

    async def history(self) -> list[Rank]:
        """Every version."""
        ...

    async def children(self) -> Counter[tuple[str, *Rank]]:
        """How many rows of a table belong to which version."""
        ...

    async def rows(self, kind: type[FlatRow]) -> list[tuple[Any, ...]]:
        """The rows of another table."""
        ...


@dataclass
class InMemory:
    """The dictionaries themselves."""

    store: MemoryStore

    async def calls(self) -> list[tuple[Any, ...]]:
        """The newest versions."""
        read = self.store.calls.values()
        return sorted((one.key[1], *one.rank, one.columns["quality_verdict"], one.columns["sites"]) for one in read)

    async def history(self) -> list[Rank]:
        """The history."""
        return sorted((key[1], version, kept["revision"]) for (key, version), kept in self.store.history.items())

    async def children(self) -> Counter[tuple[str, *Rank]]:
        """The children of the newest versions."""
        counted = Counter[tuple[str, *Rank]]()
        for call, table in itertools.product(self.store.calls.values(), CHILD_COLUMNS):
            counted[table, call.key[1], *call.rank] += len(call.children[table])
        return +counted

    async def rows(self, kind: type[FlatRow]) -> list[tuple[Any, ...]]:
        """The rows of a dictionary."""
        return sorted(row.values() for row in self.store.tables.get(kind.TABLE, {}).values())


@dataclass
class InPostgres:
    """What the database says to a reader."""

    connection: "asyncpg.Connection[asyncpg.Record]"

    async def calls(self) -> list[tuple[Any, ...]]:
        """The newest versions."""
        return await self._rows("SELECT call_id, version, revision, quality_verdict, sites FROM callrecords.call")

    async def history(self) -> list[Rank]:
        """The history."""
        return await self._rows("SELECT call_id, version, revision FROM callrecords.call_version")

    async def children(self) -> Counter[tuple[str, *Rank]]:
        """The children, whosever they are."""
        counted = Counter[tuple[str, *Rank]]()
        for table in CHILD_COLUMNS:
            ranks = await self._rows(f"SELECT call_id, version, revision FROM callrecords.{table}")  # noqa: S608
            counted.update((table, *rank) for rank in ranks)
        return counted

    async def rows(self, kind: type[FlatRow]) -> list[tuple[Any, ...]]:
        """The rows of a table."""
        names = ", ".join(f'"{name}"' for name in kind.columns())
        return await self._rows(f"SELECT {names} FROM callrecords.{kind.TABLE}")  # noqa: S608 - our own names

    async def _rows(self, sql: str) -> list[Any]:
        return sorted(tuple(row) for row in await self.connection.fetch(sql))


Engine = tuple[Store, Contents]


@pytest.fixture
async def in_postgres(database: str) -> AsyncIterator[Engine]:
    """The real one, migrated through the port."""
    store = PostgresStore(database, SystemClock())
    await store.migrate()
    connection = await asyncpg.connect(database)
    yield store, InPostgres(connection)
    await connection.close()
    await store.close()


def in_memory() -> Engine:
    """The one in memory."""
    store = MemoryStore(SystemClock())
    return store, InMemory(store)


@pytest.fixture(params=["postgres", "memory"])
def engine(request: pytest.FixtureRequest) -> Engine:
    """Each engine in turn."""
    return in_memory() if request.param == "memory" else request.getfixturevalue("in_postgres")


def a_version(call: str, version: int, revision: int = 1, **facts: Any) -> Version:
    """A version with as many parties as its rank says."""
    facets: dict[str, Any] = {"parties": version} | facts
    record = decode(received(call_record(call, version=version, revision=revision, **facets)))
    assert not isinstance(record, Reject)
    return Version(record)


def of_call(call: str, version: int, revision: int, *, parties: int) -> dict[tuple[str, *Rank], int]:
    """The children of a version with so many parties."""
    per_party = {"participant": 1, "session": 1, "stream": 2}
    return {(table, call, version, revision): parties * count for table, count in per_party.items()}


async def write(store: Store, *rows: Version | FlatRow) -> Sequence[Result]:
    """Prepare and write one batch."""
    return await store.write([store.prepare(row) for row in rows])


async def test_it_is_there_once_it_was_migrated(engine: Engine) -> None:
    """Migrated once more as well."""
    store, _ = engine
    await store.migrate()
    await store.verify()
    assert store.away is None
    assert await store.write([]) == []


async def test_the_newest_wins_in_whatever_order(engine: Engine) -> None:
    """One batch or three: the newest is the call with its own children, and every version is history."""
    store, contents = engine
    for number, order in enumerate(itertools.permutations((1, 3, 2))):
        for version in order:
            await write(store, a_version(f"apart {number}", version))
        await write(store, *(a_version(f"together {number}", version) for version in order))
    calls = [f"{how} {number}" for how in ("apart", "together") for number in range(6)]
    assert [row[:3] for row in await contents.calls()] == [(call, 3, 1) for call in calls]
    assert await contents.history() == [(call, version, 1) for call in calls for version in (1, 2, 3)]
    each = (of_call(call, 3, 1, parties=3) for call in calls)
    assert await contents.children() == {key: count for children in each for key, count in children.items()}


async def test_each_version_has_its_result(engine: Engine) -> None:
    """In the order of the rows: new, newer, overtaken within the batch, late, and the same once more."""
    store, _ = engine
    assert await write(store, a_version("a", 2), a_version("b", 1)) == [Stored.ADDED, Stored.ADDED]
    second = a_version("a", 1), a_version("c", 1), a_version("b", 2), a_version("a", 2), a_version("c", 4)
    assert await write(store, *second) == [Stored.OLDER, Stored.OLDER, Stored.REPLACED, Stored.OLDER, Stored.ADDED]


async def test_a_newer_revision_replaces_its_version(engine: Engine) -> None:
    """An older one changes nothing, neither of the call nor of the history."""
    store, contents = engine
    for revision, parties in ((2, 3), (1, 9), (3, 4)):
        await write(store, a_version("c", 1, revision, parties=parties))
    assert [row[:3] for row in await contents.calls()] == [("c", 1, 3)]
    assert await contents.history() == [("c", 1, 3)]
    assert await contents.children() == {
        ("participant", "c", 1, 3): 4,
        ("session", "c", 1, 3): 4,
        ("stream", "c", 1, 3): 8,
    }


async def test_what_is_written_twice_is_stored_once(engine: Engine) -> None:
    """The same batch again, and twice within a batch."""
    store, contents = engine
    batch = [a_version(f"c{number}", 1 + number % 2) for number in range(10)]
    await write(store, *batch, *batch)
    once = await contents.calls(), await contents.history(), await contents.children()
    assert await write(store, *batch) == [Stored.OLDER] * 10
    assert (await contents.calls(), await contents.history(), await contents.children()) == once


async def test_a_corrected_start_leaves_one_copy_of_the_children(engine: Engine) -> None:
    """Whatever an engine files them by."""
    store, contents = engine
    for version, month in enumerate((11, 10, 12), start=1):
        await write(store, a_version("c", version, start=datetime(2026, month, 1, tzinfo=UTC), parties=2))
    assert await contents.children() == {
        ("participant", "c", 3, 1): 2,
        ("session", "c", 3, 1): 2,
        ("stream", "c", 3, 1): 4,
    }


async def test_the_steps_outcomes_are_the_same(engine: Engine) -> None:
    """Through the step: good records are stored, one that is none goes to the dead letters."""
    store, contents = engine
    records: list[CallRecord] = [call_record("a"), call_record("b", parties=0)]
    broken = received(call_record("x"), value=b"{")
    outcomes = await RecordsStep(store, SystemClock(), LimitsSettings())([*map(received, records), broken])
    assert [type(outcome) for outcome in outcomes] == [Emit, Emit, Reject]
    assert await contents.calls() == [(call, 1, 1, "good", ["Köln, Dom"]) for call in ("a", "b")]


def head(offset: int, reason: str) -> Head:
    """The head of a dead letter."""
    source = ("callrecords.restricted.records.v1", 0, 41, NOW, "store", reason, "X", "f", 1, "t", "c")
    return Head("callrecords.internal.dead-letters.v1", 0, offset, *source, 7, NOW)


async def test_the_first_head_of_a_dead_letter_stays(engine: Engine) -> None:
    """It is where it is: a second one is the same."""
    store, contents = engine
    assert await write(store, head(2, "a"), head(1, "b"), head(2, "c")) == [Stored.ADDED] * 3
    await write(store, head(1, "d"))
    assert await contents.rows(Head) == [head(1, "b").values(), head(2, "a").values()]


async def test_the_newest_decision_stays_and_the_later_of_one_moment(engine: Engine) -> None:
    """In one batch and in two."""
    store, contents = engine

    def decision(word: str, seconds: int) -> Decision:
        return Decision("t", 0, 7, word, "jo", "OPS-7", NOW + timedelta(seconds=seconds))

    await write(store, decision("release", 5), decision("discard", 5), decision("release", 4))
    assert await contents.rows(Decision) == [decision("discard", 5).values()]
    await write(store, decision("release", 5))
    await write(store, decision("discard", 1))
    assert await contents.rows(Decision) == [decision("release", 5).values()]


async def test_the_newest_report_stays_and_is_forgotten_after_a_day(engine: Engine) -> None:
    """Of one moment the first stays; an instance that is silent for a day disappears when another one reports."""
    store, contents = engine

    def report(instance: str, state: str, hours: float) -> Report:
        return Report("store", instance, "", NOW - timedelta(hours=hours), state, '"x"')

    await write(store, report("i", "ok", 2), report("i", "failing", 2), report("i", "waiting", 3))
    await write(store, report("old", "ok", 23))
    assert await contents.rows(Report) == [report("i", "ok", 2).values(), report("old", "ok", 23).values()]
    await write(store, report("older", "ok", 25), report("j", "ok", 1))
    assert [row[1] for row in await contents.rows(Report)] == ["i", "j", "old"]


ranks = st.tuples(st.sampled_from("abc"), st.integers(1, 4), st.integers(1, 3))
batches = st.lists(st.lists(ranks, min_size=1, max_size=6), max_size=5)
_example = itertools.count()


@settings(
    parent=examples(10), suppress_health_check=[*settings().suppress_health_check, HealthCheck.function_scoped_fixture]
)
@given(drawn=batches)
async def test_every_engine_answers_and_holds_the_same(in_postgres: Engine, drawn: list[list[Rank]]) -> None:
    """After any batches: results, calls, history and children; each example has calls of its own."""
    prefix = f"e{next(_example)}-"
    store, contents = in_postgres
    other, expected = in_memory()
    for batch in drawn:
        rows = [a_version(prefix + call, version, revision) for call, version, revision in batch]
        assert await write(store, *rows) == await write(other, *rows)
    assert [row for row in await contents.calls() if row[0].startswith(prefix)] == await expected.calls()
    assert [row for row in await contents.history() if row[0].startswith(prefix)] == await expected.history()
    children = Counter({key: n for key, n in (await contents.children()).items() if key[1].startswith(prefix)})
    assert children == await expected.children()
