"""`ringback-sink migrate`: brings the store to this release's form, whichever engine it has."""

import asyncio

from ringback_common.clock import SystemClock
from ringback_common.process import begin
from ringback_common.settings import load

from ringback_sink.settings import MigrateProcess
from ringback_sink.store.engines import open_store
from ringback_sink.store.waiting import until_reachable

__all__ = ["serve"]


async def serve(stop: asyncio.Event) -> None:
    """Wait for the store, migrate it, end."""
    settings = load(MigrateProcess)
    clock = SystemClock()
    store = open_store(settings.store, settings.profile, clock)
    begin("migrate", settings)
    await until_reachable(store.migrate, stop, clock)
