"""Two stores on one call, one of them cut off at any moment: the newest wins, and its children are its own."""

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime

import asyncpg
import pytest
from ringback_common.clock import SystemClock
from ringback_common.errors import Transient
from ringback_common.settings import LimitsSettings
from ringback_events.record import CallRecord
from ringback_sink.store.handlers import RecordsStep
from ringback_sink.store.postgres.migrate import migrate
from ringback_sink.store.postgres.store import PostgresStore
from ringback_testing.call_records import call_record, received

pytestmark = [pytest.mark.integration, pytest.mark.timeout(120)]

MONTHS = [datetime(2026, month, 5, tzinfo=UTC) for month in (6, 9, 10, 11)] + [datetime(2015, 1, 1, tzinfo=UTC)]
"""Some with a partition, one to be made, one for the DEFAULT partition."""

CHILDREN = """
    SELECT c.call_id, c.version, c.revision, c.counts_parties,
           (SELECT array_agg(DISTINCT (p.version, p.revision, p.call_start = c.call_start)::text) FROM callrecords.{0} p
            WHERE p.tenant_id = c.tenant_id AND p.call_id = c.call_id),
           (SELECT count(*) FROM callrecords.{0} p WHERE p.tenant_id = c.tenant_id AND p.call_id = c.call_id)
    FROM callrecords.call c
"""
OPEN = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'ringback-sink-store' AND xact_start IS NOT NULL"

MakeStep = Callable[[], RecordsStep]


def versions_of(seed: int) -> list[CallRecord]:
    """Sixty records: six calls in many versions and revisions, each with its own month and number of parties."""
    draw = random.Random(seed)  # noqa: S311 - a seeded order
    ranks = [(version, revision) for version in range(1, 6) for revision in (1, 2)]
    drawn = [
        call_record(
            f"c{call}",
            version=version,
            revision=revision,
            start=MONTHS[(call + version + revision) % len(MONTHS)],
            parties=1 + (version * 2 + revision) % 5,
        )
        for call in range(6)
        for version, revision in ranks
    ]
    draw.shuffle(drawn)
    return drawn


async def write(step: RecordsStep, records: Sequence[CallRecord], draw: random.Random) -> None:
    """Write everything in small batches until each was confirmed, cutting some off as a revoked partition would."""
    waiting = [received(record, offset) for offset, record in enumerate(records)]
    while waiting:
        batch = waiting[:7]
        task = asyncio.ensure_future(step(batch))
        if draw.random() < 0.5:
            await asyncio.sleep(draw.random() * 0.01)
            task.cancel()
        with suppress(asyncio.CancelledError, Transient):
            await task
            del waiting[: len(batch)]


@pytest.fixture
async def make_step(database: str) -> AsyncIterator[MakeStep]:
    """Makes stores with a connection of their own."""
    await migrate(database)
    opened: list[PostgresStore] = []

    def make() -> RecordsStep:
        opened.append(PostgresStore(database, SystemClock()))
        return RecordsStep(opened[-1], SystemClock(), LimitsSettings())

    yield make
    for one in opened:
        await one.close()


@pytest.mark.parametrize("seed", range(3))
async def test_two_stores_cut_off_at_any_moment_agree(make_step: MakeStep, database: str, seed: int) -> None:
    """Whoever commits last, the current row is the newest version and every child is of exactly that version."""
    draw = random.Random(seed)  # noqa: S311 - seeded pauses
    steps = make_step(), make_step()
    await asyncio.gather(*(write(step, versions_of(seed + n), draw) for n, step in enumerate(steps)))
    eyes = await asyncpg.connect(database)
    try:
        for table in ("participant", "session"):
            found = [tuple(row) for row in await eyes.fetch(CHILDREN.format(table))]
            assert sorted(found) == [(f"c{call}", 5, 2, 3, ["(5,2,t)"], 3) for call in range(6)]
        assert await eyes.fetchval("SELECT count(*) FROM callrecords.call_version WHERE revision = 2") == 30
        assert await eyes.fetchval(OPEN) == 0
    finally:
        await eyes.close()
