"""The version guard on a real PostgreSQL: any order, batching and repeats, two writers at once: the newest, once."""

import asyncio
import itertools
from collections.abc import AsyncIterator

import asyncpg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from ringback_common.clock import SystemClock
from ringback_common.outcomes import Emit
from ringback_common.settings import LimitsSettings
from ringback_sink.store.handlers import RecordsStep
from ringback_sink.store.postgres.migrate import migrate
from ringback_sink.store.postgres.store import PostgresStore
from ringback_testing.call_records import call_record, received
from ringback_testing.properties import examples

pytestmark = [pytest.mark.integration, pytest.mark.timeout(400)]

Rank = tuple[str, int, int]
Store = tuple[tuple[RecordsStep, RecordsStep], "asyncpg.Connection[asyncpg.Record]"]
_example = itertools.count()

CALLS = """
    SELECT right(call_id, 1), version, revision, counts_parties FROM callrecords.call WHERE starts_with(call_id, $1)
"""
HISTORY = "SELECT right(call_id, 1), version, revision FROM callrecords.call_version WHERE starts_with(call_id, $1)"
CHILDREN = """
    SELECT right(call_id, 1), version, revision, count(*) FROM callrecords.{}
    WHERE starts_with(call_id, $1) GROUP BY 1, 2, 3
"""

ranks = st.tuples(st.sampled_from("abc"), st.integers(1, 4), st.integers(1, 3))
batches = st.lists(st.lists(ranks, min_size=1, max_size=6), max_size=5)


@pytest.fixture
async def store(database: str) -> AsyncIterator[Store]:
    """Two stores with a connection of their own, and eyes; every example uses calls of its own."""
    await migrate(database)
    writers = PostgresStore(database, SystemClock()), PostgresStore(database, SystemClock())
    eyes = await asyncpg.connect(database)
    try:
        yield tuple(RecordsStep(one, SystemClock(), LimitsSettings()) for one in writers), eyes  # type: ignore[misc]
    finally:
        await eyes.close()
        for one in writers:
            await one.close()


def parties_of(version: int, revision: int) -> int:
    """Tells which version the children are of."""
    return 1 + (version * 3 + revision) % 5


async def write(step: RecordsStep, prefix: str, planned: list[list[Rank]]) -> None:
    """One batch after the other, as one process does."""
    for batch in planned:
        records = [
            call_record(f"{prefix}{call}", version=version, revision=revision, parties=parties_of(version, revision))
            for call, version, revision in batch
        ]
        outcomes = await step([received(record, offset) for offset, record in enumerate(records)])
        assert list(outcomes) == [Emit()] * len(batch)


@settings(
    parent=examples(15), suppress_health_check=[*settings().suppress_health_check, HealthCheck.function_scoped_fixture]
)
@given(one=batches, other=batches)
async def test_whatever_two_writers_are_given_the_newest_stays_once(
    store: Store, one: list[list[Rank]], other: list[list[Rank]]
) -> None:
    """Current is the greatest (version, revision), history each version's greatest revision, children the current's."""
    steps, eyes = store
    prefix = f"e{next(_example)}-"
    await asyncio.gather(write(steps[0], prefix, one), write(steps[1], prefix, other))
    newest: dict[str, tuple[int, int]] = {}
    history: dict[tuple[str, int], int] = {}
    for call, version, revision in itertools.chain.from_iterable(one + other):
        newest[call] = max((version, revision), newest.get(call, (0, 0)))
        history[call, version] = max(revision, history.get((call, version), 0))
    current = sorted((call, *rank, parties_of(*rank)) for call, rank in newest.items())
    assert sorted(tuple(row) for row in await eyes.fetch(CALLS, prefix)) == current
    told = sorted(tuple(row) for row in await eyes.fetch(HISTORY, prefix))
    assert told == sorted((*version, revision) for version, revision in history.items())
    for table, per_party in (("participant", 1), ("session", 1), ("stream", 2)):
        children = sorted(tuple(row) for row in await eyes.fetch(CHILDREN.format(table), prefix))
        assert children == [(*rank, parties * per_party) for *rank, parties in current]
