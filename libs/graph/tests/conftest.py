"""A Graph of a test's own making: replies by a function of the request, tokens by number, budgets without waiting."""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from multidict import CIMultiDict
from ringback_graph.answers import AuthFailed
from ringback_graph.auth import Granted, Tokens
from ringback_graph.budget import Budget, Role, Ticket
from ringback_graph.client import GraphClient
from ringback_graph.tenants import Tenant
from ringback_graph.transport import Reply, Request, Transport

TENANT = "11111111-2222-4333-8444-555555555555"


@dataclass
class StoppedClock:
    """A clock that moves only when the test says so."""

    seconds: float = 1000.0

    def now(self) -> datetime:
        """The wall clock."""
        return datetime(2026, 11, 22, 12, 0, tzinfo=UTC) + timedelta(seconds=self.seconds)

    def monotonic(self) -> float:
        """Seconds."""
        return self.seconds


@dataclass
class NumberedTokens:
    """An authority that gives token-1, token-2, ... or what the test puts into `refusal`."""

    given: int = 0
    seconds: float = 3600.0
    refusal: AuthFailed | Exception | None = None

    def acquire(self, tenant: Tenant) -> Granted | AuthFailed:  # noqa: ARG002 - the port's signature
        """A new token."""
        if isinstance(self.refusal, Exception):
            raise self.refusal
        if self.refusal is not None:
            return self.refusal
        self.given += 1
        return Granted(f"token-{self.given}", self.seconds)


class Unlimited(Budget):
    """The real budget, but nobody waits."""

    async def acquire(self, ticket: Ticket) -> None:
        """Pass."""


@dataclass
class ScriptedGraph:
    """Answers each request by `answer` and remembers all of them."""

    answer: Callable[[Request], Reply] = lambda _: reply(404)
    clock: StoppedClock = field(default_factory=StoppedClock)
    tokens: NumberedTokens = field(default_factory=NumberedTokens)
    requests: list[Request] = field(default_factory=list)

    async def send(self, request: Request) -> Reply:
        """One request."""
        self.requests.append(request)
        return self.answer(request)

    def client(self, transport: Transport | None = None, budget: Budget | None = None) -> GraphClient:
        """A client whose Graph this is, or with a transport or a budget of its own."""
        budget = budget or Unlimited(Role.FETCHER, 1.0, self.clock)
        return GraphClient(transport or self, Tokens(self.tokens, self.clock), budget, self.clock)


def reply(status: int, content: Any = None, **headers: str) -> Reply:
    """A reply with a JSON body."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Reply(status, CIMultiDict({"Content-Type": "application/json"} | named), orjson.dumps(content))


@pytest.fixture
def graph() -> ScriptedGraph:
    """A Graph that knows nothing yet."""
    return ScriptedGraph()


@pytest.fixture
def tenant(tmp_path: Path) -> Tenant:
    """A tenant of graph.test."""
    return Tenant.model_validate(
        {
            "tenant_id": TENANT,
            "client_id": "app",
            "graph_url": "https://graph.test",
            "authority_url": "https://login.test",
            "credential": {"secret_file": tmp_path / "secret"},
            "notification_url": "https://ringback.test/graph/notifications",
        }
    )


@pytest.fixture(name="reply")
def reply_fixture() -> Callable[..., Reply]:
    """Makes a reply with a JSON body."""
    return reply


@dataclass
class Served:
    """One request as a server on this machine saw it."""

    line: str
    headers: dict[str, str]
    body: bytes


@dataclass
class HttpsServer:
    """A real https server with a certificate of its own CA, answering with whatever octets the test wants."""

    ca_file: Path
    context: ssl.SSLContext
    answer: Callable[[Served], bytes | None] = lambda _: octets(404)
    seen: list[Served] = field(default_factory=list)
    url: str = ""

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection: one request, one answer; None keeps it open in silence until the peer goes."""
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError, ssl.SSLError):
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
            headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in head[1:] if line)}
            body = await reader.readexactly(int(headers.get("content-length", 0)))
            self.seen.append(Served(head[0], headers, body))
            answer = self.answer(self.seen[-1])
            writer.write(answer or b"")
            await writer.drain()
            if answer is None:
                await reader.read()
        writer.close()


def octets(status: int, body: bytes = b"", **headers: str) -> bytes:
    """An HTTP/1.1 answer that closes the connection."""
    named = {"Content-Length": str(len(body)), "Content-Type": "application/json", "Connection": "close"}
    named |= {name.replace("_", "-"): value for name, value in headers.items()}
    lines = "".join(f"{name}: {value}\r\n" for name, value in named.items())
    return f"HTTP/1.1 {status} Status\r\n{lines}\r\n".encode() + body


@pytest.fixture(name="octets")
def octets_fixture() -> Callable[..., bytes]:
    """Makes an HTTP/1.1 answer."""
    return octets


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A CA's certificate, and a file with a key and a certificate for localhost made by it."""
    folder = tmp_path_factory.mktemp("certificates")
    ca_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    ca = _certificate("Test CA", ca_key, "Test CA", ca_key, ca=True)
    leaf = _certificate("localhost", key, "Test CA", ca_key, ca=False)
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (folder / "ca.pem").write_bytes(ca)
    (folder / "server.pem").write_bytes(private + leaf)
    return folder / "ca.pem", folder / "server.pem"


def _certificate(
    name: str, key: ec.EllipticCurvePrivateKey, issuer: str, issuer_key: ec.EllipticCurvePrivateKey, *, ca: bool
) -> bytes:
    now = datetime.now(UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
        .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, issuer)]))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
    )
    return builder.sign(issuer_key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


@pytest.fixture
async def https(certificates: tuple[Path, Path]) -> AsyncGenerator[Callable[[], Awaitable[HttpsServer]]]:
    """Starts https servers on ports of their own; they end with the test."""
    ca_file, server_file = certificates
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(server_file)
    async with contextlib.AsyncExitStack() as running:

        async def start() -> HttpsServer:
            served = HttpsServer(ca_file, context)
            server = await asyncio.start_server(served, "localhost", 0, ssl=context)
            running.push_async_callback(server.wait_closed)
            running.callback(server.close)
            served.url = f"https://localhost:{server.sockets[0].getsockname()[1]}"
            return served

        yield start
