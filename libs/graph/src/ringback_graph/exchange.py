"""One request and its reply: sent over an httpx transport, read within limits of bytes, values and compression."""

import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import cast

import httpx
from ringback_common.errors import Transient, UntrustedCertificate

from ringback_graph.room import Boundless, Room

__all__ = ["LARGEST_REPLY", "CertificateError", "Reply", "exchange"]

LARGEST_REPLY = 32 * 1024 * 1024
"""Bytes after decompression; a page of 60 sessions has some 300 KiB."""
_SMALL_REPLY = 4 * 1024 * 1024
"""Bytes that cannot hold enough values to matter."""
_MOST_VALUES = 1_000_000
"""Values in one reply: 32 MiB of empty objects would be eleven million, and 700 MiB of ours; a page has some 10,000."""
_GZIP = 31
"""zlib's window bits for a gzip wrapper and nothing else."""


class CertificateError(httpx.ConnectError):
    """The server's certificate does not verify; httpx has no error of its own for it."""


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back; redirects are replies like any other and are never followed."""

    status: int
    headers: Mapping[str, str] = field(repr=False)
    """Case-insensitive."""
    body: bytes | None = field(repr=False)
    """None: it was larger than the cap and is cut off, or holds more values than a parser should make of it."""


async def exchange(
    transport: httpx.AsyncBaseTransport,
    request: httpx.Request,
    *,
    room: Room | None = None,
    largest: int = LARGEST_REPLY,
    whom: str = "Graph",
) -> Reply:
    """Send a request straight to the transport and read the whole reply.

    A client between them would follow redirects and keep cookies, which is never wanted here, at 0.1 ms of CPU each.

    Args:
        transport: sends it.
        request: what is sent.
        room: takes the body's bytes, after decompression, as they come in.
        largest: bytes after decompression beyond which the body is given up.
        whom: the server, for the error's sentence.

    Raises:
        UntrustedCertificate: the server's certificate does not verify.
        Transient: timeout, broken connection, damaged or unexpected compression; it names the error's class only.
    """
    try:
        response = await transport.handle_async_request(request)
        try:
            body = await _body(response, Boundless() if room is None else room, largest)
        finally:
            await response.aclose()
    except (httpx.TransportError, zlib.error) as failure:
        kind = type(failure)
    else:
        return Reply(response.status_code, response.headers, body)
    # Raised out here, without a cause: no error that knows the request, and with it the token, goes further.
    if kind is CertificateError:
        raise UntrustedCertificate(f"the certificate of {whom} does not verify")
    raise Transient(f"request to {whom} failed: {kind.__name__}")


async def _body(response: httpx.Response, room: Room, largest: int) -> bytes | None:
    declared = response.headers.get("Content-Length", "")
    if declared.isdecimal() and int(declared) > largest:
        return None
    encoding = response.headers.get("Content-Encoding", "identity").lower()
    if encoding not in {"identity", "gzip"}:
        raise zlib.error("an encoding that was not asked for")
    plain = _Gunzip(largest) if encoding == "gzip" else _Plain(largest)
    async for chunk in cast("httpx.AsyncByteStream", response.stream):  # raw: `aiter_bytes` inflates without a cap
        before = plain.left
        if not plain.feed(chunk):
            return None
        await room.take(before - plain.left)
    whole = plain.whole()
    return whole if len(whole) <= _SMALL_REPLY or _values(whole) <= _MOST_VALUES else None


def _values(body: bytes) -> int:
    """At least as many as a JSON parser would make: each value but the first follows one of these."""
    return body.count(b",") + body.count(b"{") + body.count(b"[")


class _Plain:
    """Collects a body up to a cap."""

    def __init__(self, largest: int) -> None:
        self._parts: list[bytes] = []
        self.left = largest

    def feed(self, chunk: bytes) -> bool:
        """Take a piece; False once the cap is passed."""
        self.left -= len(chunk)
        self._parts.append(chunk)
        return self.left >= 0

    def whole(self) -> bytes:
        """The body. Raises zlib.error if it is not complete."""
        return self._parts[0] if len(self._parts) == 1 else b"".join(self._parts)


class _Gunzip(_Plain):
    """The same for a gzip body; never inflates more than the cap and one byte, whatever the body promises."""

    def __init__(self, largest: int) -> None:
        super().__init__(largest)
        self._inflate = zlib.decompressobj(_GZIP)

    def feed(self, chunk: bytes) -> bool:
        fits = super().feed(self._inflate.decompress(chunk, self.left + 1))
        if self._inflate.unused_data:  # zlib would collect them without any cap
            raise zlib.error("bytes behind the end of the body")
        return fits

    def whole(self) -> bytes:
        if not self._inflate.eof:
            raise zlib.error("the body ends early")
        return super().whole()
