"""`ringback-sink store` and `migrate` as processes, between a real Kafka and a real PostgreSQL."""

import asyncio
import re
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
import pytest
from aiokafka import AIOKafkaProducer
from ringback_common.outcomes import Received
from ringback_events import topics
from ringback_local.kafka import Broker
from ringback_local.ports import lease_ports
from ringback_local.postgres import open_postgres
from ringback_sink.store.postgres.migrate import migrate
from ringback_testing import ProcessFactory, eventually
from ringback_testing.call_records import call_record, received
from ringback_testing.streaming import set_offsets, settings_for

pytestmark = [pytest.mark.integration, pytest.mark.timeout(180)]

STORE = ["ringback-sink", "store"]
TOPICS = (
    *(topics.RECORDS, topics.STATUS, topics.CONTROL, topics.AUDIT),
    *(topics.INTERNAL_DEAD_LETTERS, topics.RESTRICTED_DEAD_LETTERS),
)
NAMES = [topic.name for topic in TOPICS]

COMMIT_WAITS = """
    CREATE FUNCTION wait() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN PERFORM pg_advisory_xact_lock_shared(7); RETURN NULL; END $$;
    CREATE CONSTRAINT TRIGGER waits AFTER INSERT ON callrecords.%s
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION wait()
"""
"""Holds a COMMIT back while somebody has advisory lock 7: between its being sent and its being answered."""


async def produce(broker: Broker, prefix: str, records: Sequence[Received]) -> None:
    """Write records to their topic."""
    producer = AIOKafkaProducer(bootstrap_servers=broker.bootstrap_servers, max_request_size=8 * 1024 * 1024)
    await producer.start()
    try:
        for one in records:
            await producer.send(prefix + one.topic, one.value, one.key, headers=list(one.headers))
    finally:
        await producer.stop()


@asynccontextmanager
async def eyes(dsn: str) -> AsyncGenerator["asyncpg.Connection[asyncpg.Record]"]:
    """A connection that looks."""
    connection = await asyncpg.connect(dsn)
    try:
        yield connection
    finally:
        await connection.close()


def environment(broker: Broker, prefix: str, dsn: str) -> dict[str, str]:
    """What the store needs to be told."""
    return {
        "RINGBACK_KAFKA__BOOTSTRAP_SERVERS": broker.bootstrap_servers,
        "RINGBACK_KAFKA__TOPIC_PREFIX": prefix,
        "RINGBACK_STORE__DSN": dsn,
    }


def metric(exposition: str, name: str) -> float:
    """The value of one line of /metrics; 0 if it is not there."""
    found = re.search(rf"^{re.escape(name)} (\S+)$", exposition, re.MULTILINE)
    return float(found[1]) if found else 0.0


async def test_records_status_and_dead_letters_reach_their_tables(
    kafka: Broker, make_topics: Any, topic_prefix: str, database: str, process: ProcessFactory
) -> None:
    """Good records become rows, poison a dead letter whose head can be listed, and the store's own status shows."""
    await make_topics(*NAMES)
    await migrate(database)
    poison = received(call_record("poison"), value=b'{"secretName": "Zo\xc3\xab"')
    await produce(kafka, topic_prefix, [received(call_record(f"c{n}")) for n in range(50)] + [poison])
    store = await process("store", STORE, environment(kafka, topic_prefix, database))
    async with eyes(database) as connection:
        await eventually(lambda: connection.fetchval("SELECT count(*) = 50 FROM callrecords.call"))
        head = "SELECT source_topic, service, reason, error_class, call_id, octets FROM callrecords.dead_letter"
        await eventually(lambda: connection.fetchval("SELECT count(*) = 1 FROM callrecords.dead_letter"))
        expected = (topics.RECORDS.name, "store", "undecodable", "DecodeError", "poison", len(poison.value or b""))
        assert await connection.fetch(head) == [expected]
        now = "SELECT count(*) > 0 FROM callrecords.status_now WHERE process LIKE 'store%' AND state <> 'unknown'"
        await eventually(lambda: connection.fetchval(now), 30)
    assert await store.stop() == 0
    assert "Zo" not in store.output()


async def test_records_below_the_committed_offset_of_a_log_that_ends_below_it_are_stored(
    kafka: Broker, make_topics: Any, topic_prefix: str, database: str, process: ProcessFactory
) -> None:
    """A cluster restored without its newest records, or a topic made anew: what is there is read; the log says so."""
    await make_topics(*NAMES)
    await migrate(database)
    settings = settings_for(kafka.bootstrap_servers, topic_prefix)
    await set_offsets(settings, "ringback-sink-store", topics.RECORDS, 100)
    await produce(kafka, topic_prefix, [received(call_record(f"c{n}")) for n in range(80)])
    store = await process("store", STORE, environment(kafka, topic_prefix, database))
    async with eyes(database) as connection:
        await eventually(lambda: connection.fetchval("SELECT count(*) = 80 FROM callrecords.call"), 30)
    assert await store.stop() == 0
    assert "A log ends below the offset that was to be read next" in store.output()


async def test_a_kill_between_both_commits_leaves_no_duplicates(
    kafka: Broker, make_topics: Any, topic_prefix: str, database: str, process: ProcessFactory
) -> None:
    """Killed after PostgreSQL's commit and before Kafka's, the store is given the batch again and stores it once."""
    await make_topics(*NAMES)
    await migrate(database)
    env = environment(kafka, topic_prefix, database)
    store = await process("store", STORE, env)
    async with eyes(database) as connection, eyes(database) as holder:
        await holder.execute(COMMIT_WAITS % "call")
        await holder.execute("SELECT pg_advisory_lock(7)")
        await produce(kafka, topic_prefix, [received(call_record(f"c{n}")) for n in range(200)])
        waits = "SELECT count(*) > 0 FROM pg_locks WHERE NOT granted AND locktype = 'advisory'"
        await eventually(lambda: connection.fetchval(waits))
        store.pause()
        await holder.execute("SELECT pg_advisory_unlock(7)")
        await eventually(lambda: connection.fetchval("SELECT count(*) > 0 FROM callrecords.call"))
        store.kill()
        again = await process("store", STORE, env)
        await eventually(lambda: connection.fetchval("SELECT count(*) = 200 FROM callrecords.call"), 60)

        async def repeated() -> bool:
            return metric(await again.metrics(), 'ringback_store_calls_total{outcome="older"}') > 0

        await eventually(repeated, 60)
        counts = {
            table: await connection.fetchval(f"SELECT count(*) FROM callrecords.{table}")  # noqa: S608 - our own names
            for table in ("call", "call_version", "participant", "session", "stream")
        }
    assert counts == {"call": 200, "call_version": 200, "participant": 1000, "session": 1000, "stream": 2000}
    assert await again.stop() == 0


async def test_every_dead_letter_has_a_row_after_a_kill_and_an_outage(
    kafka: Broker, make_topics: Any, topic_prefix: str, process: ProcessFactory
) -> None:
    """Killed while PostgreSQL still works on the first batch; then PostgreSQL dies with more to come."""
    await make_topics(*NAMES)
    letters = [Received(topics.INTERNAL_DEAD_LETTERS.name, 0, n, 0, b"t|%d" % n, b"{") for n in range(200)]
    rows = "SELECT count(*) = %d FROM callrecords.dead_letter"
    with open_postgres(own=True) as postgres:
        await migrate(postgres.dsn)
        env = environment(kafka, topic_prefix, postgres.dsn)
        store = await process("store", STORE, env)
        async with eyes(postgres.dsn) as connection, eyes(postgres.dsn) as holder:
            await holder.execute(COMMIT_WAITS % "dead_letter")
            await holder.execute("SELECT pg_advisory_lock(7)")
            await produce(kafka, topic_prefix, letters[:100])
            waits = "SELECT pid FROM pg_locks WHERE NOT granted AND locktype = 'advisory'"
            pid = await eventually(lambda: connection.fetchval(waits), 60)
            await asyncio.sleep(1)
            store.kill()
            await connection.execute("SELECT pg_terminate_backend($1)", pid)
            await holder.execute("SELECT pg_advisory_unlock(7)")
            assert await connection.fetchval(rows % 0)
            again = await process("store", STORE, env)
            await eventually(lambda: connection.fetchval(rows % 100), 60)
        await asyncio.to_thread(postgres.kill)
        await produce(kafka, topic_prefix, letters[100:])
        await asyncio.sleep(5)
        await asyncio.to_thread(postgres.start)
        async with eyes(postgres.dsn) as connection:
            await eventually(lambda: connection.fetchval(rows % 200), 60)
        assert await again.stop() == 0


async def test_the_store_waits_for_postgresql_and_goes_on_when_it_is_back(
    kafka: Broker, make_topics: Any, topic_prefix: str, process: ProcessFactory
) -> None:
    """Away at the start: live, not ready, said so. Away later: not ready, nothing dead-lettered, stored afterwards."""
    await make_topics(*NAMES)
    with open_postgres(own=True) as postgres:
        await migrate(postgres.dsn)
        await asyncio.to_thread(postgres.stop)
        store = await process("store", STORE, environment(kafka, topic_prefix, postgres.dsn), ready=False)
        await eventually(lambda: "The store cannot be reached" in store.output())
        assert not await store.ready()
        await asyncio.to_thread(postgres.start)
        await eventually(store.ready, 40)
        await asyncio.to_thread(postgres.kill)
        await produce(kafka, topic_prefix, [received(call_record(f"c{n}")) for n in range(20)])

        async def unready() -> bool:
            return not await store.ready()

        await eventually(unready)
        await asyncio.to_thread(postgres.start)
        async with eyes(postgres.dsn) as connection:
            await eventually(lambda: connection.fetchval("SELECT count(*) = 20 FROM callrecords.call"), 40)
            await eventually(store.ready)
            assert await connection.fetchval("SELECT count(*) FROM callrecords.dead_letter") == 0
        assert await store.stop() == 0


async def test_readiness_sees_a_dead_postgresql_when_no_call_comes(
    kafka: Broker, make_topics: Any, topic_prefix: str, process: ProcessFactory
) -> None:
    """A quiet night: not ready within seconds of its end, ready again within seconds of its return."""
    await make_topics(*NAMES)
    with open_postgres(own=True) as postgres:
        await migrate(postgres.dsn)
        store = await process("store", STORE, environment(kafka, topic_prefix, postgres.dsn))
        await asyncio.to_thread(postgres.kill)

        async def unready() -> bool:
            return not await store.ready()

        await eventually(unready, 15)
        await asyncio.to_thread(postgres.start)
        await eventually(store.ready, 20)
        assert await store.stop() == 0


async def test_migrate_waits_and_may_be_repeated(database: str, process: ProcessFactory) -> None:
    """The command ends with 0, the first time and the second."""
    for _ in range(2):
        ended = await process("migrate", ["ringback-sink", "migrate"], {"RINGBACK_STORE__DSN": database}, ready=False)
        assert await ended.exited() == 0
    async with eyes(database) as connection:
        assert await connection.fetchval("SELECT count(*) FROM callrecords.settled_call") == 0


async def test_a_role_without_rights_is_a_mistake_in_the_settings(database: str, process: ProcessFactory) -> None:
    """Who may not create the schema reads so in one sentence, instead of a bug's place in the code."""
    async with eyes(database) as connection:
        name = f"weak_{await connection.fetchval('SELECT current_database()')}"
        await connection.execute(f"CREATE ROLE {name} LOGIN")
        try:
            dsn = database.replace("postgres@", f"{name}@", 1)
            ended = await process("migrate", ["ringback-sink", "migrate"], {"RINGBACK_STORE__DSN": dsn}, ready=False)
            assert await ended.exited() == 2
            told = f"The role {name} of RINGBACK_STORE__DSN lacks a right on the database"
            assert told in ended.output()
            assert (
                f"GRANT CREATE ON DATABASE {await connection.fetchval('SELECT current_database()')}" in ended.output()
            )
        finally:
            await connection.execute(f"DROP ROLE {name}")


@pytest.mark.parametrize(
    ("command", "env", "sentence"),
    [
        ("migrate", {}, "RINGBACK_STORE__DSN"),
        ("migrate", {"RINGBACK_STORE__DSN": "mysql://x"}, "RINGBACK_STORE__DSN"),
        ("migrate", {"RINGBACK_STORE__DSN_FILE": "/nowhere"}, "RINGBACK_STORE__DSN_FILE"),
        ("migrate", {"RINGBACK_STORE__DSN": "postgresql://u:hush@h:port/d"}, "RINGBACK_STORE__DSN"),
        ("migrate", {"RINGBACK_STORE__DSN": "postgresql://u:hush@h/d?sslmode=yes"}, "RINGBACK_STORE__DSN"),
        ("store", {}, "RINGBACK_KAFKA__BOOTSTRAP_SERVERS"),
        ("store", {"RINGBACK_KAFKA__BOOTSTRAP_SERVERS": "127.0.0.1:1"}, "RINGBACK_STORE__DSN"),
    ],
)
async def test_a_settings_mistake_is_one_sentence(
    process: ProcessFactory, command: str, env: dict[str, str], sentence: str
) -> None:
    """Exit 2 and one line that names the setting."""
    ended = await process(command, ["ringback-sink", command], env, ready=False)
    assert await ended.exited() == 2
    assert sentence in ended.output()
    assert "hush" not in ended.output()
    assert len(ended.output().strip().splitlines()) == 1


async def test_a_store_that_was_never_migrated_says_so(
    kafka: Broker, topic_prefix: str, database: str, process: ProcessFactory
) -> None:
    """Exit 2 and the command to run; a database that does not exist names the setting."""
    ended = await process("store", STORE, environment(kafka, topic_prefix, database), ready=False)
    assert await ended.exited() == 2
    assert "run `ringback-sink migrate`" in ended.output()
    absent = await process("store", STORE, environment(kafka, topic_prefix, database + "x"), ready=False)
    assert await absent.exited() == 2
    assert "RINGBACK_STORE__DSN" in absent.output()


async def test_a_store_that_is_away_ends_when_asked(process: ProcessFactory) -> None:
    """SIGTERM while it waits for PostgreSQL ends it with 0."""
    with lease_ports(1) as [port]:
        dsn = f"postgresql://postgres@127.0.0.1:{port}/postgres"
        env = {"RINGBACK_KAFKA__BOOTSTRAP_SERVERS": "127.0.0.1:1", "RINGBACK_STORE__DSN": dsn}
        store = await process("store", STORE, env, ready=False)
        await eventually(lambda: "The store cannot be reached" in store.output())
        assert await store.stop() == 0
