"""A sick tenant delays only itself, although its calls fill a partition it shares."""

import asyncio
import math
import sys
from datetime import datetime

import pytest
from ringback_local.simulator import ledger
from ringback_testing import eventually
from ringback_testing.installation import Installation, open_installation

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(400), pytest.mark.asyncio(loop_scope="session")]

SICK, WELL = 2, 1
HANGING = 200
HANGING_READS = 8
"""A share that is halved again and again still has so many."""
CALLS = 150
PACE = 0.04
MISS = 3.0
"""A timed goal is reported; a test fails only past this many times it."""


async def test_a_tenant_that_only_hangs_holds_nobody_back(capsys: pytest.CaptureFixture[str]) -> None:
    """While its reads hang, and when they have timed out and it is paused, its neighbour is as quick as ever."""
    async with open_installation() as installation:
        await _latencies(installation)  # warms every connection
        baseline = _p99(await _latencies(installation))
        fault = {"tenantId": installation.tenants[SICK], "route": "records", "effect": "hang"}
        await installation.graph("POST", "faults", fault)
        await installation.call("peerToPeer", SICK, copies=HANGING)
        meanwhile = _p99(await _latencies(installation))
        coming = asyncio.create_task(_go_on_calling(installation))
        afterwards = _p99(await _latencies(installation))
        coming.cancel()
        asked = [line async for line in ledger(installation.control, "request") if line["fault"] is not None]
    with capsys.disabled():
        reported = f"p99 in ms: {round(baseline)}, while it hangs {round(meanwhile)}, then {round(afterwards)} "
        sys.stdout.write(reported)
    assert len(asked) >= HANGING_READS, "hardly anything hung"
    assert max(meanwhile, afterwards) <= MISS * max(2 * baseline, 1000.0)


async def _go_on_calling(installation: Installation) -> None:
    """More of the sick tenant's calls, between those of its neighbour."""
    while True:
        await installation.call("peerToPeer", SICK)
        await asyncio.sleep(PACE / 2)  # the load's own pace


async def _latencies(installation: Installation) -> list[float]:
    """Let calls of the well tenant end one by one: from each 2xx to its row, in milliseconds, sorted."""
    calls: list[str] = []
    for _ in range(CALLS):
        made = await installation.call("peerToPeer", WELL)
        calls.append(made["callId"])
        await asyncio.sleep(PACE)  # the load's own pace
    query = "SELECT call_id, stored_at FROM callrecords.call WHERE call_id = ANY($1)"

    async def all_rows() -> dict[str, datetime] | None:
        rows = {row["call_id"]: row["stored_at"] for row in await installation.store.fetch(query, calls)}
        return rows if len(rows) == len(calls) else None

    stored = await eventually(all_rows, 90)
    assert stored is not None
    accepted = await installation.accepted()
    return sorted((stored[call].timestamp() - min(accepted[call])) * 1000 for call in calls)


def _p99(latencies: list[float]) -> float:
    return latencies[math.ceil(0.99 * len(latencies)) - 1]
