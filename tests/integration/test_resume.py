"""A halt outlives its process: the enricher refuses a bad topic, halts, and goes on only when an operator says so."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import orjson
import pytest
from ringback_common.outcomes import Message
from ringback_events.keys import call_key
from ringback_events.topics import (
    AUDIT,
    CALLS,
    CONTROL,
    FETCH,
    FETCH_LANES,
    INTERNAL_DEAD_LETTERS,
    RECORDS,
    RESTRICTED_DEAD_LETTERS,
    SESSIONS,
    STATUS,
)
from ringback_local.kafka import Broker
from ringback_local.simulator import RunningSimulator
from ringback_testing import ProcessFactory, RunningProcess, eventually
from ringback_testing.fixtures import MakeTopics
from ringback_testing.operated import Operated, open_operated

pytestmark = [pytest.mark.integration, pytest.mark.timeout(240)]

NEEDED = (
    *(*FETCH_LANES, INTERNAL_DEAD_LETTERS, RESTRICTED_DEAD_LETTERS),
    *(RECORDS, SESSIONS, CALLS, CONTROL, STATUS, AUDIT),
)
ENRICHER = ("ringback-enricher", "fetch")


@pytest.fixture
async def rig(
    kafka: Broker, topic_prefix: str, make_topics: MakeTopics, simulator: RunningSimulator, tmp_path: Path
) -> AsyncIterator[Operated]:
    """One tenant, and topics of the test's own."""
    await make_topics(*(topic.name for topic in NEEDED))
    async with open_operated(kafka, topic_prefix, simulator, tmp_path) as opened:
        yield opened


async def test_a_halt_outlives_a_restart_and_ends_with_resume(rig: Operated, process: ProcessFactory) -> None:
    """Twenty refusals stop it, a restart does not help, nothing more is drained; resumed, it serves what waits."""
    poison = [Message(FETCH.name, call_key(rig.tenant, f"bad-{number}"), b"{") for number in range(20)]
    await rig.send(poison)
    first = await process("fetch", ENRICHER, rig.environment, ready=False)

    async def halted() -> bool:
        return bool((await rig.command("resume", "--json")).document)

    await eventually(halted, 60)
    assert first.returncode is None
    assert not await first.ready()
    drained = len(await rig.on(INTERNAL_DEAD_LETTERS))
    assert drained >= 20
    assert await first.stop() == 0
    call = await rig.call()
    await rig.send([Message(FETCH.name, call_key(rig.tenant, call), rig.request(call))])
    again = await process("fetch", ENRICHER, rig.environment, ready=False)
    await eventually(lambda: _says_halted(again), 60)
    assert not await again.ready()
    assert (len(await rig.on(INTERNAL_DEAD_LETTERS)), await rig.on(RECORDS)) == (drained, [])
    ended = await rig.command("resume", "fetch", "--yes", "--why", "OPS-9: rolled back")
    assert ended.code == 0, ended.err
    await again.wait_ready(60)
    (record,) = await eventually(lambda: rig.on(RECORDS), 60)
    assert record.key == call_key(rig.tenant, call)
    lifted = [entry for entry in map(_entry, await rig.on(AUDIT)) if entry["outcome"] == "done"]
    assert [(entry["action"], entry["targets"], entry["reason"]) for entry in lifted] == [
        ("halt.lift", ["fetch"], "OPS-9: rolled back")
    ]
    assert await again.stop() == 0


async def test_a_halt_leaves_most_of_a_bad_topic_where_it_is(rig: Operated, process: ProcessFactory) -> None:
    """Of a thousand records that are all refused some are in hand when it halts; they end, and no others."""
    await rig.send([Message(FETCH.name, call_key(rig.tenant, f"bad-{number}"), b"{") for number in range(1000)])
    fetch = await process("fetch", ENRICHER, rig.environment, ready=False)
    await eventually(lambda: _says_halted(fetch), 60)
    drained = len(await rig.on(INTERNAL_DEAD_LETTERS))
    assert 20 <= drained <= 200
    assert await fetch.stop() == 0
    assert len(await rig.on(INTERNAL_DEAD_LETTERS)) == drained


async def _says_halted(fetch: RunningProcess) -> bool:
    """By its own metric; a process that has just begun answers nothing yet."""
    try:
        return 'ringback_stream_halted{group="ringback-enricher"} 1.0' in await fetch.metrics()
    except aiohttp.ClientError:
        return False


def _entry(record: Any) -> dict[str, Any]:
    return orjson.loads(record.value)
