"""Wires the store: topics in, two steps, one PostgreSQL."""

import asyncio

from ringback_common.clock import SystemClock
from ringback_common.health import AdminServer, Health
from ringback_common.process import begin
from ringback_common.settings import load
from ringback_events import topics
from ringback_stream.flows import BatchedFlow, BatchStep
from ringback_stream.process.runtime import StreamRuntime
from ringback_stream.shared.connection import client_options
from ringback_stream.simple.flow import SimpleFlow

from ringback_sink.settings import StoreProcess
from ringback_sink.store.adapters.calls import Calls
from ringback_sink.store.adapters.database import Database
from ringback_sink.store.adapters.operations import Operations
from ringback_sink.store.handlers import OperationsStep, RecordsStep
from ringback_sink.store.waiting import until_reachable

__all__ = ["operations_flow", "serve"]

_NEEDS = 10
"""Bytes of memory for each byte of Graph's JSON: `ROWS` for each of the published record, which has at most 2.5."""


async def serve(stop: asyncio.Event) -> None:
    """`ringback-sink store`: consume until `stop` is set."""
    settings = load(StoreProcess)
    settings.limits.require(_NEEDS)
    dsn = settings.store.connection_string(settings.profile)
    client_options(settings.kafka)  # PostgreSQL is waited for first, and a mistake about Kafka would go unheard
    begin("store", settings)
    health = Health()
    admin = AdminServer(health, settings.admin)
    await admin.start()
    try:
        await _consume(settings, dsn, stop, health)
    finally:
        await admin.stop()


async def _consume(settings: StoreProcess, dsn: str, stop: asyncio.Event, health: Health) -> None:
    clock = SystemClock()
    calls, operations = Database(dsn), Database(dsn)
    health.ready("store", lambda: calls.away)
    if not await until_reachable(calls.verify, stop, clock):
        return
    following = asyncio.create_task(calls.follow(), name="store-follow")
    try:
        async with StreamRuntime.open(settings, "store", health=health, stop=stop, clock=clock) as stream:
            await stream.run(
                stop,
                BatchedFlow(
                    "ringback-sink-store", (topics.RECORDS,), RecordsStep(Calls(calls), clock, settings.limits)
                ),
                operations_flow(OperationsStep(Operations(operations))),
            )
    finally:
        following.cancel()
        await calls.close()
        await operations.close()


def operations_flow(step: BatchStep) -> SimpleFlow:
    """What operators look at: status reports, the heads of dead letters, and decisions about them."""
    return SimpleFlow(
        "ringback-sink-store-operations",
        (topics.STATUS, topics.INTERNAL_DEAD_LETTERS, topics.RESTRICTED_DEAD_LETTERS, topics.AUDIT),
        step,
        description="The store keeps it for operators; offsets are committed when PostgreSQL has the rows.",
    )
