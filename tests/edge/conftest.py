"""One webhook, one fetch process and one Kafka for the whole folder; what judges all they said comes last."""

import asyncio
import uuid
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, ExitStack

import aiohttp
import pytest
import pytest_asyncio
from ringback_events.topics import FETCH, LIFECYCLE
from ringback_local.kafka import Broker, clients
from ringback_local.ports import lease_ports
from ringback_local.simulator import RunningSimulator
from ringback_local.topics import create_contract_topics
from ringback_testing import ProcessFactory, eventually
from ringback_testing.fetch_rig import CLIENT_SECRET, Fetching, TenantAt, open_fetching, tenants_file
from ringback_testing.graph_edge import EDGE, GraphEdge, open_graph_edge
from ringback_testing.public_port import KEYS, PublicPort, StartWebhook
from ringback_testing.simulated import Simulated
from ringback_testing.span_collector import SpanCollector, open_span_collector
from ringback_testing.token_catcher import TokenCatcher, UnaskedProxy, open_token_catcher


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What judges everything that was said and done comes after it; else in the order of the rows."""
    ours = [at for at, item in enumerate(items) if item.path.parent.name == "edge"]
    last = sorted((items[at] for at in ours), key=lambda item: "canaries" in item.path.name)
    for at, item in zip(ours, last, strict=True):
        items[at] = item


@pytest_asyncio.fixture(scope="package", loop_scope="session")
async def processes(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[ProcessFactory]:
    """Starts processes that live as long as the folder's tests."""
    resources = ExitStack()
    try:
        yield ProcessFactory(tmp_path_factory.mktemp("edge"), resources)
    finally:
        await asyncio.to_thread(resources.close)


@pytest_asyncio.fixture(scope="package", loop_scope="session")
async def collector() -> AsyncIterator[SpanCollector]:
    """Receives the spans of every process of this folder."""
    with open_span_collector() as opened:
        yield opened


@pytest.fixture(scope="package")
def traced(collector: SpanCollector) -> dict[str, str]:
    """Settings with which a process exports every span at once."""
    return {
        "RINGBACK_TELEMETRY__OTLP_ENDPOINT": collector.endpoint,
        "RINGBACK_TELEMETRY__TRACE_RATIO": "1.0",
        "OTEL_BSP_SCHEDULE_DELAY": "500",
    }


@pytest_asyncio.fixture(scope="package", loop_scope="session")
async def start_webhook(
    kafka: Broker, processes: ProcessFactory, traced: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[StartWebhook]:
    """Starts a webhook for topics that exist; it accepts."""
    keys_file = tmp_path_factory.mktemp("keys") / "keys.json"
    keys_file.write_bytes(KEYS)
    servers = kafka.bootstrap_servers
    async with AsyncExitStack() as opened:

        async def start(prefix: str, topics: dict[str, str]) -> PublicPort:
            [port] = opened.enter_context(lease_ports(1))
            env = traced | {
                "RINGBACK_KAFKA__BOOTSTRAP_SERVERS": servers,
                "RINGBACK_KAFKA__TOPIC_PREFIX": prefix,
                "RINGBACK_WEBHOOK__HOST": "127.0.0.1",
                "RINGBACK_WEBHOOK__PORT": str(port),
                "RINGBACK_WEBHOOK__DRAIN_SECONDS": "0",
                "RINGBACK_WEBHOOK__CLIENT_STATE_KEYS_FILE": str(keys_file),
            }
            running = await processes("webhook", ["ringback-ingest", "webhook"], env)
            reader = await opened.enter_async_context(
                clients.consumer(servers, *topics.values(), auto_offset_reset="earliest", fetch_max_wait_ms=20)
            )
            public = PublicPort(running, port, topics, reader)
            await eventually(public.accepts)
            return public

        yield start


@pytest_asyncio.fixture(scope="package", loop_scope="session")
async def webhook(kafka: Broker, start_webhook: StartWebhook) -> PublicPort:
    """A running webhook that accepts; no consumer reads what it produces."""
    topics = await create_contract_topics(kafka.bootstrap_servers, "edge.", names=(FETCH.name, LIFECYCLE.name))
    return await start_webhook("edge.", topics)


@pytest_asyncio.fixture(loop_scope="session")
async def unharmed(webhook: PublicPort) -> AsyncIterator[PublicPort]:
    """The webhook; after the test it is the same process, alive, accepting, with its descriptors closed again."""
    before = webhook.process.pid
    yield webhook
    assert webhook.process.returncode is None
    assert webhook.process.pid == before
    assert await webhook.accepts()
    await eventually(lambda: webhook.descriptors() < 200, 15)


@pytest_asyncio.fixture(scope="package", loop_scope="session")
async def unasked_proxy() -> AsyncIterator[UnaskedProxy]:
    """The proxy that HTTPS_PROXY names to the fetch process."""
    proxy = UnaskedProxy()
    server = await asyncio.start_server(proxy, "127.0.0.1", 0)
    proxy.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with server:
        yield proxy


@pytest_asyncio.fixture(scope="package", loop_scope="session")
async def catcher(simulator: RunningSimulator) -> AsyncIterator[TokenCatcher]:
    """A server with a trusted certificate, at the Graph's host and another port, that no token may reach."""
    folder = simulator.ca_file.parent
    async with open_token_catcher(folder / "server.pem", folder / "server.key") as opened:
        yield opened


@pytest_asyncio.fixture(scope="package", loop_scope="session")
async def hostile(simulator: RunningSimulator) -> AsyncIterator[GraphEdge]:
    """The Graph of tenant `EDGE`, whose answers the tests write."""
    folder = simulator.ca_file.parent
    async with open_graph_edge(folder / "server.pem", folder / "server.key") as edge:
        yield edge


@pytest_asyncio.fixture(scope="package", loop_scope="session")
async def simulated(simulator: RunningSimulator) -> AsyncIterator[Simulated]:
    """A tenant of the simulator."""
    async with aiohttp.ClientSession(simulator.control_url) as control:
        graph = Simulated(str(uuid.uuid4()), simulator.graph_url, control)
        known = {"tenantId": graph.tenant_id, "clientId": graph.tenant_id, "clientSecret": CLIENT_SECRET}
        await graph("POST", "tenants", {"tenants": [known]})
        yield graph


@pytest_asyncio.fixture(scope="package", loop_scope="session")
async def fetching(
    kafka: Broker,
    processes: ProcessFactory,
    traced: dict[str, str],
    simulator: RunningSimulator,
    simulated: Simulated,
    hostile: GraphEdge,
    unasked_proxy: UnaskedProxy,
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[Fetching]:
    """A running fetch process for a simulated tenant, a hostile one, and that of the webhook's notifications."""
    folder = tmp_path_factory.mktemp("fetch")
    at_simulator = (simulator.graph_url, simulator.authority_url)
    tenants = [TenantAt(simulated.tenant_id, *at_simulator), TenantAt(EDGE, hostile.url, hostile.url)]
    env = traced | {
        "RINGBACK_TENANTS_FILE": str(tenants_file(folder, tenants)),
        "RINGBACK_GRAPH__CAFILE": str(simulator.ca_file),
        "RINGBACK_TIME_SCALE": "36000",  # seven attempts over three hours pass in a third of a second
        "HTTPS_PROXY": unasked_proxy.url,
        "https_proxy": unasked_proxy.url,
        "NO_PROXY": "",  # the machine's own would except this host, and the proxy would be left alone for that
        "no_proxy": "",
        "REQUESTS_CA_BUNDLE": "/nowhere/ca.pem",
    }
    async with open_fetching(processes, kafka.bootstrap_servers, "graph.", folder, env) as opened:
        yield opened
