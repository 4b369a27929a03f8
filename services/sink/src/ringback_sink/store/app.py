"""Wires the store: topics in, two steps, one store."""

import asyncio

from ringback_common.clock import Clock, SystemClock
from ringback_common.health import AdminServer, Health
from ringback_common.process import begin
from ringback_common.settings import load
from ringback_events import topics
from ringback_stream.flows import BatchedFlow, BatchStep
from ringback_stream.process.runtime import StreamRuntime
from ringback_stream.shared.connection import client_options
from ringback_stream.simple.flow import SimpleFlow

from ringback_sink.settings import StoreProcess
from ringback_sink.store.engines import open_store
from ringback_sink.store.handlers import OPERATIONS, OperationsStep, RecordsStep
from ringback_sink.store.port import Store
from ringback_sink.store.waiting import until_reachable

__all__ = ["operations_flow", "serve"]

_NEEDS = 10
"""Bytes of memory for each byte of Graph's JSON: `ROWS` for each of the published record, which has at most 2.5."""


async def serve(stop: asyncio.Event) -> None:
    """`ringback-sink store`: consume until `stop` is set."""
    settings = load(StoreProcess)
    settings.limits.require(_NEEDS)
    clock = SystemClock()
    store = open_store(settings.store, settings.profile, clock)
    client_options(settings.kafka)  # the store is waited for first: a mistake about Kafka would show only after that
    begin("store", settings)
    health = Health()
    admin = AdminServer(health, settings.admin)
    await admin.start()
    try:
        await _consume(settings, store, stop, health, clock)
    finally:
        await admin.stop()


async def _consume(settings: StoreProcess, store: Store, stop: asyncio.Event, health: Health, clock: Clock) -> None:
    health.ready("store", lambda: store.away)
    if not await until_reachable(store.verify, stop, clock):
        return
    following = asyncio.create_task(store.follow(), name="store-follow")
    try:
        async with StreamRuntime.open(settings, "store", health=health, stop=stop, clock=clock) as stream:
            await stream.run(
                stop,
                BatchedFlow("ringback-sink-store", (topics.RECORDS,), RecordsStep(store, clock, settings.limits)),
                operations_flow(OperationsStep(store)),
            )
    finally:
        following.cancel()
        await store.close()


def operations_flow(step: BatchStep) -> SimpleFlow:
    """What operators look at: status reports, the heads of dead letters, and decisions about them."""
    return SimpleFlow(
        "ringback-sink-store-operations",
        tuple(OPERATIONS),
        step,
        description="The store keeps it for operators; offsets are committed when the store has the rows.",
    )
