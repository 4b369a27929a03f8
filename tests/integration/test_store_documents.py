"""docs/store.md: its examples run on a migrated database and say what they promise to say."""

import re
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from ringback_cli.store import DIGEST
from ringback_common.clock import SystemClock
from ringback_common.outcomes import Emit
from ringback_common.settings import LimitsSettings
from ringback_events.record import CallRecord, Quality, Session, Tally
from ringback_sink.store.handlers import RecordsStep
from ringback_sink.store.postgres.comments import COLUMNS
from ringback_sink.store.postgres.migrate import migrate
from ringback_sink.store.postgres.store import PostgresStore
from ringback_testing.call_records import START, call_record, received

pytestmark = pytest.mark.integration

PAGE = (Path(__file__).parents[2] / "docs" / "store.md").read_text(encoding="utf-8")
_, TIMELINE, DAILY, PERSON, NUMBER, RECEIVERS = re.findall(r"```sql\n(.*?)```", PAGE, re.DOTALL)
CALL = "e523d2ed-2966-4b6b-925b-754a88034cc5"
TABLES_AND_VIEWS = """
    SELECT relname FROM pg_class
    WHERE relnamespace = 'callrecords'::regnamespace AND relkind IN ('r', 'p', 'v') AND NOT relispartition
      AND relname <> 'alembic_version'
"""


EVERY_COLUMN = """
    SELECT c.oid, c.relname, a.attnum, a.attname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
    WHERE c.relnamespace = 'callrecords'::regnamespace AND c.relkind IN ('r', 'p', 'v') AND NOT c.relispartition
      AND a.attnum > 0 AND NOT a.attisdropped
"""
UNEXPLAINED = f"""
    SELECT relname, attname FROM ({EVERY_COLUMN}) each WHERE col_description(oid, attnum) IS NULL
    UNION
    SELECT relname, NULL FROM ({EVERY_COLUMN}) each WHERE obj_description(oid, 'pg_class') IS NULL
"""  # noqa: S608 - our own question


@pytest.fixture
async def stored(database: str) -> AsyncIterator["asyncpg.Connection[Any]"]:
    """A connection to a store that holds what a test takes in through the store's own step."""
    await migrate(database, START)
    eyes = await asyncpg.connect(database)
    try:
        yield eyes
    finally:
        await eyes.close()


async def take(database: str, *records: CallRecord) -> None:
    """Store versions as `ringback-sink store` does."""
    writer = PostgresStore(database, SystemClock())
    try:
        step = RecordsStep(writer, SystemClock(), LimitsSettings())
        outcomes = await step([received(record, offset) for offset, record in enumerate(records)])
        assert outcomes == [Emit()] * len(records)
    finally:
        await writer.close()


def judged(verdict: str) -> Quality:
    """The quality of a call with this verdict."""
    tally = Tally(good=0, poor=0, unclassified=0)
    return Quality(
        rules_version="cqd-2026.1", verdict=verdict, audio=tally, video=tally, screen_sharing=tally, other=tally
    )


def spoilt(sessions: Sequence[Session]) -> list[Session]:
    """The same sessions, the streams to the caller poor for their jitter."""
    return [
        session.model_copy(
            update={
                "streams": [
                    stream.model_copy(update={"verdict": "poor", "verdict_metric": "averageJitterMs"})
                    if stream.direction == "calleeToCaller"
                    else stream
                    for stream in session.streams
                ]
            }
        )
        for session in sessions
    ]


async def test_the_timeline_of_a_call(stored: "asyncpg.Connection[Any]", database: str) -> None:
    """Start, end, then modified, received, fetched and stored of each version."""
    await take(database, call_record(CALL, version=1), call_record(CALL, version=3), call_record())
    told = [(row["event"], row["version"]) for row in await stored.fetch(TIMELINE)]
    moments = [("modified", 1), ("received", 1), ("fetched", 1), ("modified", 3), ("received", 3), ("fetched", 3)]
    assert told[:8] == [("call_started", 3), ("call_ended", 3), *moments]
    assert sorted(told[8:]) == [("stored", 1), ("stored", 3)]


async def test_poor_calls_by_day(stored: "asyncpg.Connection[Any]", database: str) -> None:
    """Each day has its calls; the unclassified ones weigh nothing in the share; another month is left out."""
    tomorrow, december = START + timedelta(days=1), datetime(2026, 12, 1, tzinfo=UTC)
    await take(
        database,
        *(call_record(quality=judged(verdict)) for verdict in ("poor", "good", "good", "unclassified")),
        call_record(start=tomorrow, quality=judged("unclassified")),
        call_record(start=december, quality=judged("poor")),
    )
    assert [tuple(row) for row in await stored.fetch(DAILY)] == [
        (date(2026, 11, 16), 4, 1, Decimal("33.3")),
        (date(2026, 11, 17), 1, 0, None),
    ]


async def test_receivers_of_poor_audio(stored: "asyncpg.Connection[Any]", database: str) -> None:
    """The side the stream goes to is the receiver; the months beside the one asked for are not read."""
    poor = call_record(parties=3)
    await take(database, poor.model_copy(update={"sessions": spoilt(poor.sessions)}), call_record(parties=2))
    assert [tuple(row) for row in await stored.fetch(RECEIVERS)] == [("wifi", "averageJitterMs", 3, 1)]
    plan = "\n".join(row[0] for row in await stored.fetch(f"EXPLAIN {RECEIVERS}"))
    assert set(re.findall(r"stream_row_(\d{4}_\d{2})", plan)) == {"2026_11"}


async def test_the_calls_of_a_person_on_a_day(stored: "asyncpg.Connection[Any]", database: str) -> None:
    """Whoever has the name, in whatever case, on that day alone; an index of the month answers."""
    tomorrow = START + timedelta(days=1)
    await take(database, call_record("today"), call_record("one party", parties=1), call_record("x", start=tomorrow))
    assert [row["call_id"] for row in await stored.fetch(PERSON)] == ["today"]
    assert '"left"(lower(display_name), 64) =' in await conditions(stored, PERSON)


async def test_the_calls_of_a_number(stored: "asyncpg.Connection[Any]", database: str) -> None:
    """An index of the month answers, also where nobody has it."""
    phone = call_record("by phone", parties=2)
    number = phone.parties[0].model_copy(update={"phone_number": "+49301234567"})
    await take(database, phone.model_copy(update={"parties": [number, phone.parties[1]]}), call_record())
    assert [row["call_id"] for row in await stored.fetch(NUMBER)] == ["by phone"]
    assert '"left"(phone_number, 64) =' in await conditions(stored, NUMBER)


async def test_the_other_questions_have_indices_too(stored: "asyncpg.Connection[Any]") -> None:
    """Neither the calls of a tenant in a month nor its poor streams are looked for in everything."""
    for question in (DAILY, RECEIVERS):
        asked = await conditions(stored, question)
        assert "tenant_id =" in asked
        assert "call_start >=" in asked


async def test_the_digest_of_a_day_reads_that_day(stored: "asyncpg.Connection[Any]") -> None:
    """Of the children the month's part alone, of calls and versions what an index finds."""
    day = {"$1": "'{}'", "$2": "'2026-11-16'", "$3": "'2026-11-17'"}
    question = DIGEST
    for place, value in day.items():
        question = question.replace(place, value)
    async with stored.transaction():
        await stored.execute("SET LOCAL enable_seqscan = off")
        plan = "\n".join(row[0] for row in await stored.fetch(f"EXPLAIN {question}"))
    assert set(re.findall(r"(?:participant|session|stream)_row_(\d{4}_\d{2}|default)", plan)) == {"2026_11"}
    assert not re.findall(r"Seq Scan on call(?:_version_row)?\b", plan), plan


async def conditions(stored: "asyncpg.Connection[Any]", question: str) -> str:
    """What indices are asked for where reading a whole table is no choice; none may be read whole all the same."""
    async with stored.transaction():
        await stored.execute("SET LOCAL enable_seqscan = off")
        plan = [row[0] for row in await stored.fetch(f"EXPLAIN {question}")]
    assert not [line for line in plan if "Seq Scan" in line], plan
    return "\n".join(line for line in plan if "Index Cond" in line)


async def test_every_table_column_and_view_has_a_comment(stored: "asyncpg.Connection[Any]") -> None:
    """Whoever opens the schema in psql reads what each means; the comments of no column name what is not there."""
    assert [tuple(row) for row in await stored.fetch(UNEXPLAINED)] == []
    there = {(row["relname"], row["attname"]) for row in await stored.fetch(EVERY_COLUMN)}
    named = {(relation, column) for relation, told in COLUMNS.items() for column in told}
    assert named <= there


async def test_every_table_and_view_is_documented(stored: "asyncpg.Connection[Any]") -> None:
    """What a reader finds in the schema has a line in docs/store.md, and no line names what is not there."""
    existing = {row["relname"] for row in await stored.fetch(TABLES_AND_VIEWS)}
    assert existing == set(re.findall(r"^\| `(\w+)` \|", PAGE, re.MULTILINE))
