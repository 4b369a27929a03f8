"""Servers that nothing may reach: one with a certificate the processes trust, which keeps what comes, and a proxy."""

import asyncio
import ssl
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path


@dataclass
class TokenCatcher:
    """What came: connections, and the heads of the requests on them."""

    port: int = 0
    connections: int = 0
    heads: list[bytes] = field(default_factory=list[bytes])

    async def take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Keep a request's head and answer as Graph would, with an empty last page."""
        self.connections += 1
        self.heads.append(await reader.readuntil(b"\r\n\r\n"))
        body = b'{"value": []}'
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body))
        writer.write(body)
        await writer.drain()
        writer.close()


@asynccontextmanager
async def open_token_catcher(certificate: Path, key: Path) -> AsyncGenerator[TokenCatcher]:
    """Yield a catcher on the loopback address, with the simulator's certificate and key."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate, key)
    catcher = TokenCatcher()
    server = await asyncio.start_server(catcher.take, "localhost", 0, ssl=context, family=2)
    catcher.port = server.sockets[0].getsockname()[1]
    async with server:
        yield catcher


class UnaskedProxy:
    """Listens where the environment says a proxy is; no connection may arrive."""

    def __init__(self) -> None:
        self.url = ""
        self.connections = 0

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Count a connection and close it."""
        del reader
        self.connections += 1
        writer.close()
