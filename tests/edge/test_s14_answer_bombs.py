"""S14: an answer without end, a bomb or a circle is stopped at a cap, ends as a typed dead letter, and costs little."""

import asyncio
import gzip
import uuid
from collections.abc import Callable, Iterable, Iterator
from itertools import count, repeat

import orjson
import pytest
from ringback_events.topics import FETCH_RETRY_10S
from ringback_testing.fetch_rig import Fetching
from ringback_testing.graph_edge import EDGE, GraphEdge, Seen, chunks, raw_response, record
from ringback_testing.resident import MIB, resident

pytestmark = [pytest.mark.edge, pytest.mark.timeout(300), pytest.mark.asyncio(loop_scope="session")]

CAP = 32 * MIB
"""The largest reply that is read (libs/graph, exchange.py)."""
STEADY = 300 * MIB
"""What the process may hold under any fault (DESIGN section 12)."""

Bomb = Callable[[str, str, Seen], Iterable[bytes]]
"""(Graph's URL, the call's id, the request) -> an answer."""


def _declared(_url: str, _call: str, _seen: Seen) -> Iterator[bytes]:
    yield b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % (100 * MIB)
    yield from repeat(b" " * MIB, 100)


def _undeclared(_url: str, _call: str, _seen: Seen) -> Iterator[bytes]:
    return chunks(repeat(b" " * MIB, 100))


def _gzip(_url: str, _call: str, _seen: Seen) -> Iterator[bytes]:
    bomb = gzip.compress(bytes(200 * MIB), 9)
    return raw_response(200, bomb, Content_Encoding="gzip")


def _gzip_of_gzip(_url: str, call: str, _seen: Seen) -> Iterator[bytes]:
    inner = gzip.compress(orjson.dumps(record(call, pad="a" * 1000)))
    return raw_response(200, gzip.compress(inner), Content_Encoding="gzip, gzip")


def _circle(url: str, call: str, seen: Seen) -> Iterator[bytes]:
    there = "b" if "skiptoken=a" in seen.target else "a"
    return _page(url, call, seen, there)


def _itself(url: str, call: str, seen: Seen) -> Iterator[bytes]:
    return _page(url, call, seen, "a")


def _page(url: str, call: str, seen: Seen, token: str, pad: str = "") -> Iterator[bytes]:
    link = f"{url}/v1.0/communications/callRecords/{call}/sessions?$skiptoken={token}"
    if "skiptoken" not in seen.target:
        return raw_response(200, orjson.dumps(record(call, **{"sessions@odata.nextLink": link})))
    return raw_response(200, orjson.dumps({"value": [{"id": "s", "pad": pad}], "@odata.nextLink": link}))


_NUMBERS = count()


def _large_pages_without_end(url: str, call: str, seen: Seen) -> Iterator[bytes]:
    return _page(url, call, seen, str(next(_NUMBERS)), pad="a" * (24 * MIB))


def _many_objects(_url: str, call: str, _seen: Seen) -> Iterator[bytes]:
    inner = b"{}," * (CAP // 3 - 100)
    return raw_response(200, orjson.dumps(record(call, x=[]))[:-2] + inner + b"{}]}")


def _wrong_id(_url: str, call: str, _seen: Seen) -> Iterator[bytes]:
    return raw_response(200, orjson.dumps(record(f"{call}0")))


def _version_of_5000_digits(_url: str, call: str, _seen: Seen) -> Iterator[bytes]:
    return raw_response(200, orjson.dumps(record(call)).replace(b'"version":1', b'"version":' + b"9" * 5000))


BOMBS: dict[str, tuple[Bomb, str]] = {
    "100 MiB declared": (_declared, "too_large"),
    "100 MiB undeclared": (_undeclared, "too_large"),
    "a gzip bomb": (_gzip, "too_large"),
    "two pages that lead to each other": (_circle, "malformed_record"),
    "a page that leads to itself": (_itself, "malformed_record"),
    "pages of 24 MiB without end": (_large_pages_without_end, "too_large"),
    "ten million empty objects": (_many_objects, "too_large"),
    "another record": (_wrong_id, "malformed_record"),
    "a version of 5,000 digits": (_version_of_5000_digits, "malformed_record"),
    "2,000 brackets": (lambda _url, _call, _seen: raw_response(200, b"[" * 2000 + b"]" * 2000), "malformed_record"),
}


@pytest.mark.parametrize(("bomb", "reason"), BOMBS.values(), ids=BOMBS)
async def test_a_bomb_ends_as_a_typed_dead_letter_within_the_memory_allowed(
    fetching: Fetching, hostile: GraphEdge, bomb: Bomb, reason: str
) -> None:
    """Stopped at a cap: the reason says which kind, what was sent is bounded, and so is the process's memory."""
    call_id = str(uuid.uuid4())
    hostile.answers[call_id] = lambda seen: bomb(hostile.url, call_id, seen)
    sent = hostile.sent
    async with resident(fetching.process.pid) as memory:
        await fetching.ask(EDGE, call_id)
        assert (await fetching.refused(call_id, timeout=60))["ringback_dlq_reason"] == reason
    assert hostile.sent - sent < 4 * CAP
    assert memory.peak <= STEADY


async def test_half_a_surrogate_pair_costs_its_own_character_only(fetching: Fetching, hostile: GraphEdge) -> None:
    """A name cut within an emoji, as .NET writes it: published after the first read, and U+FFFD stands for the half."""
    call_id = str(uuid.uuid4())
    whole = orjson.dumps(record(call_id, x="half"))
    hostile.answers[call_id] = lambda _seen: raw_response(200, whole.replace(b'"half"', b'"Person \\ud83d"'))
    await fetching.ask(EDGE, call_id)
    published = await fetching.published(call_id)
    assert orjson.loads(published.value or b"")["graph"]["x"] == "Person \ufffd"
    assert len({seen.target for seen in hostile.about(call_id)}) == len(hostile.about(call_id))


BROKEN: dict[str, Bomb] = {
    "two encodings": _gzip_of_gzip,
    "no HTTP": lambda _url, _call, _seen: iter([b"SSH-2.0-OpenSSH\r\n\r\n"]),
    "a header of 1 MiB": lambda _url, _call, _seen: raw_response(200, b"{}", X_A="a" * MIB),
}


@pytest.mark.parametrize("answer", BROKEN.values(), ids=BROKEN)
async def test_a_broken_answer_stops_nobody_else(fetching: Fetching, hostile: GraphEdge, answer: Bomb) -> None:
    """What may be whole the next time waits on the retry tier, and is published when it is; neighbours go on.

    One at a time and among neighbours: when most answers are broken the breaker rightly takes it for Graph's fault.
    A rebalance in the middle puts the call off under the name of a hand-over: then it is asked for anew.
    """
    for _ in range(12):
        await _neighbour(fetching, hostile)
    assigned, reason = -1, ""
    while assigned != (now := _assignments(fetching)):
        assigned, reason = now, await _put_off(fetching, hostile, answer)
    assert reason == "upstream_error", fetching.process.output()[-4000:]


async def _put_off(fetching: Fetching, hostile: GraphEdge, answer: Bomb) -> str:
    """Why a call with this answer was put on the retry tier; whole from then on, it is published."""
    call_id = str(uuid.uuid4())
    hostile.answers[call_id] = lambda seen: answer(hostile.url, call_id, seen)
    try:
        await fetching.ask(EDGE, call_id)
        async with asyncio.timeout(60):  # what ends as a dead letter would never get there
            while not await fetching.on(FETCH_RETRY_10S, call_id):
                await _neighbour(fetching, hostile)
    finally:
        hostile.answers[call_id] = _whole(call_id)
    await fetching.published(call_id)
    return (await fetching.deferred(call_id))["ringback_reason"]


def _assignments(fetching: Fetching) -> int:
    """How often the process was given its partitions."""
    return sum(line.get("message") == "Partitions are assigned." for line in fetching.process.logs())


async def _neighbour(fetching: Fetching, hostile: GraphEdge) -> None:
    call_id = str(uuid.uuid4())
    hostile.answers[call_id] = _whole(call_id)
    await fetching.ask(EDGE, call_id)
    await fetching.published(call_id)


def _whole(call_id: str) -> Callable[[Seen], Iterable[bytes]]:
    return lambda _: raw_response(200, orjson.dumps(record(call_id)))
