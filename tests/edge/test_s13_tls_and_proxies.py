"""S13: TLS is verified, no proxy is used that was not configured; a server in the middle gets no byte of a request."""

import asyncio
import datetime as dt
import ssl
import uuid
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import httpx
import orjson
import pytest
import pytest_asyncio
from ringback_events.topics import INTERNAL_DEAD_LETTERS, RECORDS
from ringback_graph.settings import GraphSettings
from ringback_graph.transport import AiohttpTransport
from ringback_graph_simulator import certs
from ringback_local.kafka import Broker
from ringback_local.simulator import RunningSimulator
from ringback_testing import ProcessFactory, eventually
from ringback_testing.fetch_rig import Fetching, TenantAt, open_fetching, tenants_file
from ringback_testing.graph_edge import EDGE, TOKEN, GraphEdge, open_graph_edge, raw_response, record
from ringback_testing.token_catcher import UnaskedProxy

pytestmark = [pytest.mark.edge, pytest.mark.timeout(300), pytest.mark.asyncio(loop_scope="session")]

KINDS = ("unknown authority", "another name", "expired")


@pytest.fixture(scope="module")
def impostors(tmp_path_factory: pytest.TempPathFactory) -> dict[str, certs.Certificates]:
    """Certificates that must not be believed, and the authorities that signed them."""
    folders = {kind: tmp_path_factory.mktemp(kind.replace(" ", "-")) for kind in KINDS}
    made = {"unknown authority": certs.make_certificates(folders["unknown authority"], ("localhost",))}
    made["another name"] = certs.make_certificates(folders["another name"], ("graph.example", "127.0.0.1"))
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(certs, "_LIFE", dt.timedelta(minutes=-1))
        made["expired"] = certs.make_certificates(folders["expired"], ("localhost",))
    return made


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def impostor_graphs(impostors: dict[str, certs.Certificates]) -> AsyncIterator[dict[str, GraphEdge]]:
    """A Graph behind each of them."""
    async with AsyncExitStack() as opened:
        yield {
            kind: await opened.enter_async_context(open_graph_edge(made.certificate_file, made.key_file))
            for kind, made in (impostors | {"as an authority": impostors["another name"]}).items()
        }


@pytest.fixture(scope="module")
def trusted(
    impostors: dict[str, certs.Certificates], simulator: RunningSimulator, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A CA file with every authority but the unknown one: what is refused is refused for its name or its date."""
    believed = [simulator.ca_file, impostors["another name"].ca_file, impostors["expired"].ca_file]
    file = tmp_path_factory.mktemp("trusted") / "ca.pem"
    file.write_bytes(b"\n".join(each.read_bytes() for each in believed))
    return file


async def test_no_impostor_gets_a_request_of_the_running_process(
    kafka: Broker,
    processes: ProcessFactory,
    traced: dict[str, str],
    hostile: GraphEdge,
    impostor_graphs: dict[str, GraphEdge],
    trusted: Path,
    tmp_path: Path,
) -> None:
    """As Graph or as authority: handshakes are begun and broken off, and nothing is sent, published or refused."""
    *graphs, authority = impostor_graphs.values()
    tenants = [TenantAt(str(uuid.uuid4()), edge.url, hostile.url) for edge in graphs]
    tenants.append(TenantAt(str(uuid.uuid4()), hostile.url, authority.url))
    env = traced | {
        "RINGBACK_TENANTS_FILE": str(tenants_file(tmp_path, tenants)),
        "RINGBACK_GRAPH__CAFILE": str(trusted),
    }
    async with open_fetching(processes, kafka.bootstrap_servers, "tls.", tmp_path, env) as fetching:
        for tenant in tenants:
            await fetching.ask(tenant.tenant_id, str(uuid.uuid4()))
        await eventually(lambda: all(edge.hellos > 0 for edge in impostor_graphs.values()), 60)
        assert {kind: edge.seen for kind, edge in impostor_graphs.items()} == {kind: [] for kind in impostor_graphs}
        assert await fetching.on(RECORDS) == await fetching.on(INTERNAL_DEAD_LETTERS) == []
        assert await fetching.process.stop() == 0


async def test_the_impostors_speak_to_whoever_believes_them(
    impostor_graphs: dict[str, GraphEdge], trusted: Path
) -> None:
    """They listen and answer: without verification each of them would have had the token."""
    for edge in impostor_graphs.values():
        careless = ssl.create_default_context(cafile=str(trusted))
        careless.check_hostname, careless.verify_mode = False, ssl.CERT_NONE
        reader, writer = await asyncio.open_connection("localhost", int(edge.url.rpartition(":")[2]), ssl=careless)
        writer.write(b"GET /v1.0/x HTTP/1.1\r\nHost: h\r\n\r\n")
        assert (await reader.readline()).startswith(b"HTTP/1.1 404 ")
        writer.close()
        edge.seen.clear()


async def test_a_proxy_of_the_environment_is_not_used(
    fetching: Fetching, unasked_proxy: UnaskedProxy, hostile: GraphEdge
) -> None:
    """HTTPS_PROXY in the environment of the running process: its token and its record come, the proxy sees nothing."""
    call_id = str(uuid.uuid4())
    hostile.answers[call_id] = lambda _: raw_response(200, orjson.dumps(record(call_id)))
    await fetching.ask(EDGE, call_id)
    await eventually(lambda: hostile.about(call_id) or unasked_proxy.connections)
    assert unasked_proxy.connections == 0
    await fetching.published(call_id)
    assert [seen for seen in hostile.seen if seen.method == "POST"]


async def test_a_configured_proxy_is_used_for_everything_and_sees_no_token(simulator: RunningSimulator) -> None:
    """`RINGBACK_GRAPH__PROXY`: a CONNECT to Graph's host and port, and not one header of ours beside it."""
    heads: list[bytes] = []

    async def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heads.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(b"HTTP/1.1 502 No\r\nContent-Length: 0\r\n\r\n")
        writer.close()

    server = await asyncio.start_server(take, "127.0.0.1", 0)
    proxy = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    settings = GraphSettings(proxy=proxy, cafile=simulator.ca_file, timeout_seconds=5)
    headers = {"Authorization": f"Bearer {TOKEN}"}
    request = httpx.Request("GET", f"{simulator.graph_url}/v1.0/x", headers=headers)
    async with server, AiohttpTransport(settings) as transport:
        with pytest.raises(httpx.ProxyError):
            await transport.handle_async_request(request)
    (head,) = heads
    assert head.startswith(b"CONNECT %s HTTP/1.1" % simulator.graph_url.removeprefix("https://").encode())
    assert TOKEN.encode() not in head
