"""Fixtures of every test that crosses a process boundary; `tests/conftest.py` offers them."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import pytest
from ringback_local.kafka import Broker, open_broker
from ringback_local.postgres import Postgres, open_postgres
from ringback_local.simulator import RunningSimulator, open_simulator
from ringback_local.topics import create_contract_topics, delete_topics

from ringback_testing.processes import ProcessFactory

MakeTopics = Callable[..., Awaitable[dict[str, str]]]


class KafkaBroker(Protocol):
    """Starts a Kafka that the test may break; it is closed after the test."""

    def __call__(self, nodes: int = 1, properties: Mapping[str, str] | None = None) -> Broker:
        """Return the started broker."""
        ...


@pytest.fixture(scope="session")
def kafka() -> Iterator[Broker]:
    """One real Kafka for the whole session; tests keep apart by their `topic_prefix`."""
    with open_broker() as broker:
        yield broker


@pytest.fixture
def kafka_broker() -> Iterator[KafkaBroker]:
    """Start Kafkas of the test's own, to break."""
    with ExitStack() as brokers:

        def start(nodes: int = 1, properties: Mapping[str, str] | None = None) -> Broker:
            return brokers.enter_context(open_broker(nodes, properties, own=True))

        yield start


@pytest.fixture
def topic_prefix() -> str:
    """An installation prefix no other test has."""
    return f"t{secrets.token_hex(4)}."


@pytest.fixture
async def make_topics(kafka: Broker, topic_prefix: str) -> AsyncIterator[MakeTopics]:
    """Create the named topics of the contract under the test's prefix; they are deleted after it."""
    created: set[str] = set()

    async def make(*names: str) -> dict[str, str]:
        topics = await create_contract_topics(kafka.bootstrap_servers, topic_prefix, names=names or None)
        created.update(topics.values())
        return topics

    yield make
    if created:
        await delete_topics(kafka.bootstrap_servers, created)


@pytest.fixture
async def topics(make_topics: MakeTopics) -> dict[str, str]:
    """All topics of the contract under the test's prefix: contract name → real name."""
    return await make_topics()


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """One real PostgreSQL for the whole session; `.dsn` is its maintenance database."""
    with open_postgres() as server:
        yield server


@pytest.fixture
async def database(postgres: Postgres) -> AsyncIterator[str]:
    """The DSN of an empty database of this test's own."""
    name = f"t{secrets.token_hex(4)}"
    await _execute(postgres.dsn, f"CREATE DATABASE {name}")
    yield urlunsplit(urlsplit(postgres.dsn)._replace(path=f"/{name}"))
    await _execute(postgres.dsn, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(scope="session")
def simulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningSimulator]:
    """One Graph simulator for the session; tests keep apart by their tenants."""
    with open_simulator(tmp_path_factory.mktemp("simulator"), time_scale=60.0) as running:
        yield running


@pytest.fixture
async def process(tmp_path: Path) -> AsyncIterator[ProcessFactory]:
    """Start Ringback's processes; all are stopped after the test."""
    resources = ExitStack()
    try:
        yield ProcessFactory(tmp_path, resources)
    finally:
        await asyncio.to_thread(resources.close)


async def _execute(dsn: str, statement: str) -> None:
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()
