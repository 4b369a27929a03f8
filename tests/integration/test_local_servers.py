"""The servers everything else is tested on: they start, break on demand, and come back with their data."""

import asyncio
import subprocess
import sys
from typing import Any

import asyncpg
import psutil
import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import NotEnoughReplicasAfterAppendError, NotEnoughReplicasError, RequestTimedOutError
from ringback_events import topics as contract
from ringback_local.kafka import Broker
from ringback_local.postgres import open_postgres
from ringback_testing import dump_topic
from ringback_testing.fixtures import KafkaBroker

pytestmark = pytest.mark.integration


async def test_the_contract_topics_hold_what_is_written(
    kafka: Broker, topics: dict[str, str], topic_prefix: str
) -> None:
    """All contract topics exist under the test's prefix, and zstd records written to one are read back."""
    fetch = topics[contract.FETCH.name]
    written = [b"%d" % number for number in range(500)]
    await _produce(kafka, fetch, written, compression_type="zstd")
    records = await dump_topic(kafka.bootstrap_servers, fetch)
    assert fetch.startswith(topic_prefix)
    assert len(topics) == len(contract.ALL_TOPICS)
    assert sorted(record.value or b"" for record in records) == sorted(written)


async def test_the_newest_events_of_a_topic_are_shown(kafka: Broker, topics: dict[str, str], topic_prefix: str) -> None:
    """The `topic` command of a run: the last ones by time, one a line, whatever partition they lie in."""
    written = [b"%d" % number for number in range(60)]
    await _produce(kafka, topics[contract.CALLS.name], written, compression_type="zstd")
    command = [sys.executable, "-m", "ringback_local.last", kafka.bootstrap_servers, topic_prefix]
    for name, shows in ((contract.CALLS.name, 3), (contract.RECORDS.name, 0)):
        shown = await asyncio.to_thread(subprocess.run, [*command, name, "-n", "3"], check=False, capture_output=True)
        assert (shown.returncode, shown.stderr) == (0, b"")
        lines = shown.stdout.splitlines()
        assert (len(lines), set(lines) <= set(written[-20:])) == (shows, True)  # in one millisecond no order is known


async def test_a_killed_broker_comes_back_on_its_port_with_its_records(kafka_broker: KafkaBroker) -> None:
    """What was acknowledged before kill -9 is there after the start."""
    broker = kafka_broker()
    pid = broker.pid
    await _make_topic(broker, replication=1)
    await _produce(broker, "kept", [b"before"])
    broker.kill()
    assert not psutil.pid_exists(pid)
    broker.start()
    await _produce(broker, "kept", [b"after"])
    assert [record.value for record in await dump_topic(broker.bootstrap_servers, "kept")] == [b"before", b"after"]


@pytest.mark.timeout(240)
async def test_three_nodes_keep_the_promise_of_their_in_sync_replicas(kafka_broker: KafkaBroker) -> None:
    """With one of three nodes dead, min ISR 2 acknowledges and min ISR 3 refuses until the node is back."""
    broker = kafka_broker(nodes=3, properties={"broker.session.timeout.ms": "3000", "replica.lag.time.max.ms": "3000"})
    await _make_topic(broker, replication=3)
    await _make_topic(broker, replication=3, name="strict", min_isr=3)
    broker.nodes[2].kill()
    await _produce(broker, "kept", [b"one dead"])
    with pytest.raises((NotEnoughReplicasError, NotEnoughReplicasAfterAppendError, RequestTimedOutError)):
        await _produce(broker, "strict", [b"one dead"], request_timeout_ms=5000)
    broker.nodes[2].start()
    await _produce(broker, "strict", [b"all back"])
    assert [record.value for record in await dump_topic(broker.bootstrap_servers, "kept")] == [b"one dead"]


async def test_a_killed_postgres_comes_back_on_its_port_with_its_rows() -> None:
    """What was committed before kill -9 is there after the start, and no backend of the old one is left."""
    with open_postgres(own=True) as postgres:
        await _execute(postgres.dsn, "CREATE TABLE kept AS SELECT 1 AS number")
        family = [psutil.Process(postgres.pid), *psutil.Process(postgres.pid).children()]
        postgres.kill()
        assert not any(process.is_running() and process.status() != psutil.STATUS_ZOMBIE for process in family)
        postgres.start()
        assert await _execute(postgres.dsn, "SELECT number FROM kept") == 1


async def test_each_test_has_a_database_of_its_own(database: str) -> None:
    """The database is empty and speaks UTF-8 in UTC on PostgreSQL 18."""
    assert await _execute(database, "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'") == 0
    assert await _execute(database, "SHOW server_encoding") == "UTF8"
    assert await _execute(database, "SHOW timezone") == "UTC"
    assert (await _execute(database, "SHOW server_version")).startswith("18.")


async def _make_topic(broker: Broker, replication: int, name: str = "kept", min_isr: int | None = None) -> None:
    configs = {} if min_isr is None else {"min.insync.replicas": str(min_isr)}
    admin = AIOKafkaAdminClient(bootstrap_servers=broker.bootstrap_servers)
    await admin.start()
    try:
        await admin.create_topics([NewTopic(name, 1, replication, topic_configs=configs)])
    finally:
        await admin.close()


async def _produce(broker: Broker, topic: str, values: list[bytes], **options: Any) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=broker.bootstrap_servers, acks="all", **options)
    await producer.start()
    try:
        for value in values:
            await producer.send_and_wait(topic, value)
    finally:
        await producer.stop()


async def _execute(dsn: str, statement: str) -> Any:
    connection = await asyncpg.connect(dsn)
    try:
        return await connection.fetchval(statement)
    finally:
        await connection.close()
