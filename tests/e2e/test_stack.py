"""The whole stack as processes: a call rings, is fetched and stored, and goes on being so when processes die."""

import uuid

import aiohttp
import asyncpg
import psutil
import pytest
from ringback_local.stack import Stack, StackOptions
from ringback_testing import eventually
from ringback_testing.installation import SERVICES, transcribe

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]


async def test_a_call_reaches_the_store_and_so_does_one_after_every_service_was_killed() -> None:
    """A call's row comes before and after kill -9 of each service, and when the stack is left nothing runs."""
    async with Stack(StackOptions(tenants=2)) as stack:
        await eventually(lambda: _subscriptions(stack), timeout=60)
        await _rings_and_is_stored(stack, stack.tenants[0], seconds=20)
        for name in SERVICES:
            stack.kill(name)
        await _rings_and_is_stored(stack, stack.tenants[1], seconds=60)
        for name in SERVICES:
            await stack.ready(name, timeout=60)
        assert {health.name: health.restarts for health in stack.health()} == {
            "simulator": 0,
            "store": 1,
            "enricher": 1,
            "webhook": 1,
            "keeper": 1,
        }
        transcribe(stack)
        pids = [health.pid for health in stack.health()] + [stack.broker.pid, stack.postgres.pid]
    assert not any(psutil.pid_exists(pid) for pid in pids if pid is not None)


async def _subscriptions(stack: Stack) -> bool:
    async with aiohttp.ClientSession(stack.simulator.control_url) as control:
        state = await (await control.get("/control/state")).json()
        return state["subscriptions"] == len(stack.tenants)


async def _rings_and_is_stored(stack: Stack, tenant_id: str, seconds: float) -> None:
    call_id = str(uuid.uuid4())
    async with aiohttp.ClientSession(stack.simulator.control_url) as control:
        call = {"tenantId": tenant_id, "callId": call_id, "shape": "smallMeeting"}
        answer = await control.post("/control/calls", json=call)
        assert answer.status == 201, await answer.text()
    connection = await asyncpg.connect(stack.dsn)
    stored = "SELECT version FROM callrecords.call WHERE tenant_id = $1 AND call_id = $2"
    try:
        assert await eventually(lambda: connection.fetchval(stored, tenant_id, call_id), seconds) == 1
    finally:
        await connection.close()
