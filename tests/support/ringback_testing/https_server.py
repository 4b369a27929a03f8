"""A real https server on this machine that answers whatever bytes a test wants, and certificates for it."""

import asyncio
import contextlib
import socket
import ssl
import struct
from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

__all__ = ["Certificates", "HttpsServer", "Served", "StartHttps", "make_certificates", "raw_response", "starting_https"]


class Certificates(NamedTuple):
    """A CA's certificate, and a file with a key and a certificate for localhost made by it."""

    ca_file: Path
    server_file: Path


@dataclass
class Served:
    """One request as a server on this machine saw it."""

    line: str
    headers: dict[str, str]
    body: bytes


@dataclass
class HttpsServer:
    """Answers with whatever bytes the test wants, under a certificate of its own CA."""

    ca_file: Path
    context: ssl.SSLContext
    answer: Callable[[Served], bytes | None] = lambda _: raw_response(404)
    seen: list[Served] = field(default_factory=list["Served"])
    url: str = ""
    resets: bool = False
    """Reset the connection in the place of an answer."""

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection: one request, one answer; None keeps it open in silence until the peer goes."""
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError, ssl.SSLError):
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
            headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in head[1:] if line)}
            body = await reader.readexactly(int(headers.get("content-length", 0)))
            self.seen.append(Served(head[0], headers, body))
            if self.resets:
                _reset(writer)
                return
            answer = self.answer(self.seen[-1])
            writer.write(answer or b"")
            await writer.drain()
            if answer is None:
                await reader.read()
        writer.close()


def _reset(writer: asyncio.StreamWriter) -> None:
    """End the connection with RST: without lingering, and without TLS' word of goodbye."""
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


def raw_response(status: int, body: bytes = b"", **headers: str) -> bytes:
    """An HTTP/1.1 answer that closes the connection."""
    named = {"Content-Length": str(len(body)), "Content-Type": "application/json", "Connection": "close"}
    named |= {name.replace("_", "-"): value for name, value in headers.items()}
    lines = "".join(f"{name}: {value}\r\n" for name, value in named.items())
    return f"HTTP/1.1 {status} Status\r\n{lines}\r\n".encode() + body


def make_certificates(folder: Path) -> Certificates:
    """Write both files into a folder."""
    ca_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    ca = _certificate("Test CA", ca_key, "Test CA", ca_key, ca=True)
    leaf = _certificate("localhost", key, "Test CA", ca_key, ca=False)
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (folder / "ca.pem").write_bytes(ca)
    (folder / "server.pem").write_bytes(private + leaf)
    return Certificates(folder / "ca.pem", folder / "server.pem")


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


StartHttps = Callable[[], Awaitable[HttpsServer]]
"""Starts one more server."""


@contextlib.asynccontextmanager
async def starting_https(certificates: Certificates) -> AsyncGenerator[StartHttps]:
    """Gives what starts servers on ports of their own; they end with the block."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificates.server_file)
    async with contextlib.AsyncExitStack() as running:

        async def start() -> HttpsServer:
            served = HttpsServer(certificates.ca_file, context)
            server = await asyncio.start_server(served, "localhost", 0, ssl=context)
            running.push_async_callback(server.wait_closed)
            running.callback(server.close)
            served.url = f"https://localhost:{server.sockets[0].getsockname()[1]}"
            return served

        yield start
