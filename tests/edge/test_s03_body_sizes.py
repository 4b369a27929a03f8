"""S3: a body too large is refused in whatever way it says, or does not say, how large it is; memory stays flat."""

import asyncio
import gzip
from collections.abc import Callable

import pytest
from ringback_testing.public_port import PATH, STATE, PublicPort, body, item
from ringback_testing.resident import MIB, resident
from ringback_testing.webhook import post

pytestmark = [pytest.mark.edge, pytest.mark.timeout(300), pytest.mark.asyncio(loop_scope="session")]

HEAD = f"POST {PATH} HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\n".encode()
GENUINE = body(item("oversized", clientState=STATE))
PADDED = GENUINE + b" " * (MIB + 1 - len(GENUINE))
"""A genuine notification in a body of one byte more than 1 MiB: were it read, its call would reach Kafka."""


def _declared(length: str, content: bytes) -> bytes:
    return HEAD + f"Content-Length: {length}\r\n\r\n".encode() + content


def _chunked(size: int, content: bytes) -> bytes:
    parts = (content[at : at + size] for at in range(0, len(content), size))
    chunks = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in parts)
    return HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + chunks + b"0\r\n\r\n"


REFUSED: dict[str, tuple[bytes, int]] = {
    "declared and sent": (_declared(str(len(PADDED)), PADDED), 413),
    "declared, never sent": (_declared("999999999999", b""), 413),
    "declared beyond 64 bits": (_declared("9" * 40, GENUINE), 400),
    "chunked": (_chunked(65536, PADDED), 413),
    "chunked, one chunk": (_chunked(2 * MIB, PADDED), 413),
    "a chunk of 4 GiB announced": (HEAD + b"Transfer-Encoding: chunked\r\n\r\nffffffff\r\n" + PADDED, 413),
    "a chunk beyond 64 bits": (HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + b"f" * 40 + b"\r\n" + PADDED, 400),
    "chunks of one byte": (_chunked(1, PADDED), 413),
    "gzip": (post(gzip.compress(GENUINE), "Content-Encoding: gzip"), 415),
    "a gzip bomb": (post(gzip.compress(b"[" * (64 * MIB), 1)[:MIB], "Content-Encoding: gzip"), 415),
    "gzip as a transfer coding": (_chunked(4096, GENUINE).replace(b"chunked", b"gzip, chunked", 1), 415),
    "gzip that calls itself identity": (post(gzip.compress(GENUINE), "Content-Encoding: identity"), 503),
}


@pytest.mark.parametrize(("data", "status"), REFUSED.values(), ids=REFUSED)
async def test_too_large_is_refused_however_it_is_said(unharmed: PublicPort, data: bytes, status: int) -> None:
    """One answer with the documented status, then the connection ends; nothing of it is a notification."""
    answers = await unharmed.exchange(data)
    assert [answer.status for answer in answers] == [status]
    assert "oversized" not in await unharmed.produced()


async def test_a_body_longer_than_declared_is_two_messages_and_the_second_is_none(unharmed: PublicPort) -> None:
    """The declared bytes are the body; what follows is not read as part of it."""
    call = unharmed.call("lying-short")
    genuine = body(item(call))
    answers = await unharmed.exchange(_declared(str(len(genuine)), genuine + b"x" * MIB))
    assert [answer.status for answer in answers] in ([202], [202, 400])
    assert (await unharmed.produced()).count(call) == 1


async def test_a_body_shorter_than_declared_is_cut_and_not_taken(unharmed: PublicPort) -> None:
    """A whole JSON text that is not the whole body is no notification: 408 after its two seconds."""
    call = unharmed.call("lying-long")
    genuine = body(item(call))
    async with unharmed.connected() as client:
        await client.send(_declared(str(len(genuine) + 1), genuine))
        assert (await client.rest()).startswith(b"HTTP/1.1 408 ")
    assert call not in await unharmed.produced()


async def test_exactly_one_mebibyte_is_taken(unharmed: PublicPort) -> None:
    """The limit itself is inside, declared and chunked."""
    send: list[Callable[[bytes], bytes]] = [
        lambda whole: _declared(str(MIB), whole),
        lambda whole: _chunked(9999, whole),
    ]
    for framed in send:
        call = unharmed.call("exact")
        genuine = body(item(call))
        answers = await unharmed.exchange(framed(genuine + b" " * (MIB - len(genuine))))
        assert [answer.status for answer in answers] == [202]
        assert call in await unharmed.produced()


async def test_memory_is_flat_under_two_hundred_large_bodies_at_once(unharmed: PublicPort) -> None:
    """Bodies of almost 1 MiB and of 100 MiB, all open together, three times over: the cap on all bodies holds.

    The cap is 64 MiB of bodies. The process may grow by it once and by what copying one body costs, not by 200 MiB, and
    the second and third time not again: what the allocator keeps of the first is used anew, so 3 x 64 MiB is a leak.
    """
    almost = _declared(str(MIB), GENUINE + b" " * (MIB - len(GENUINE) - 1))
    endless = HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + (b"40000\r\n" + b" " * 0x40000 + b"\r\n") * 16
    async with resident(unharmed.process.pid) as memory:
        for _ in range(3):
            async with asyncio.TaskGroup() as sending:
                held = [sending.create_task(unharmed.exchange(almost, stop=False)) for _ in range(150)]
                floods = [sending.create_task(unharmed.exchange(endless)) for _ in range(50)]
            assert {answer.status for task in held for answer in task.result()} == {408, 503}
            assert {answer.status for task in floods for answer in task.result()} <= {413, 503}
    assert memory.growth < 160 * MIB
