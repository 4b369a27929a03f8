"""Wires the keeper: settings, tenants, Graph, Kafka, the rounds; and ends it in order."""

import asyncio
from collections.abc import Coroutine
from pathlib import Path
from typing import Any, cast

from ringback_common.clock import Clock, SystemClock
from ringback_common.health import AdminServer, Health
from ringback_common.process import begin
from ringback_common.settings import ProcessSettings, load
from ringback_events.keys import tenant_key
from ringback_events.partition import partition_for
from ringback_events.topics import AUDIT, LIFECYCLE
from ringback_graph.availability import APP_LIMIT, Governor, RateLimiter, Role
from ringback_graph.client import GraphClient
from ringback_graph.settings import GraphSettings
from ringback_graph.subscriptions import Subscriptions
from ringback_graph.tenants import TenantsFile
from ringback_graph.transport import AiohttpTransport
from ringback_stream.consume.ownership import Ownership
from ringback_stream.flows import KeyedFlow, Lane
from ringback_stream.process.runtime import StreamRuntime

from ringback_ingest.keeper.adapters.audit import Audit
from ringback_ingest.keeper.adapters.graph import GraphSubscriptions
from ringback_ingest.keeper.adapters.refusal_memory import RefusalMemory
from ringback_ingest.keeper.changes import Changes
from ringback_ingest.keeper.handlers import KeeperStep, exhausted
from ringback_ingest.keeper.reconcile import Installation, Reconciler
from ringback_ingest.keeper.rounds import Rounds
from ringback_ingest.keys_file import KeysFile
from ringback_ingest.settings import WebhookSection

__all__ = ["KeeperSettings", "serve"]

_GROUP = "ringback-keeper"
_KEYS_SECONDS = 10.0


class KeeperSettings(ProcessSettings):
    """What the keeper needs to know."""

    tenants_file: Path
    """YAML: the tenants to serve; read again when it changes."""
    graph: GraphSettings = GraphSettings()
    webhook: WebhookSection


async def serve(stop: asyncio.Event) -> None:
    """Run the keeper until `stop` is set.

    Raises:
        ConfigError: a setting, the tenants file, the keys file or a topic is not usable.
    """
    settings = load(KeeperSettings)
    begin("keeper", settings)
    tenants = TenantsFile(settings.tenants_file)
    tenants.load()
    keys = KeysFile(settings.webhook.client_state_keys_file, settings.profile, SystemClock())
    health = Health()
    admin = AdminServer(health, settings.admin)
    await admin.start()
    try:
        await _keep(settings, tenants, keys, health, stop)
    finally:
        await admin.stop()


async def _keep(
    settings: KeeperSettings, tenants: TenantsFile, keys: KeysFile, health: Health, stop: asyncio.Event
) -> None:
    clock = SystemClock()
    ownership = Ownership(clock)

    def owns(tenant_id: str) -> bool:
        return ownership.owns(partition_for(LIFECYCLE.name, tenant_key(tenant_id), LIFECYCLE.partitions))

    async with (
        AiohttpTransport(settings.graph) as transport,  # first: Kafka is waited for, a mistake is not
        StreamRuntime.open(settings, "keeper", health=health, topics=(AUDIT,), stop=stop) as stream,
        GraphClient.open(transport, governor := _governor(stream, clock)) as graph,
    ):
        audit = Audit(stream.producer)
        installation = Installation(settings.installation_id, settings.time_scale)
        refusal_memory = RefusalMemory(graph)
        # Subscriptions needs `send` alone of a client.
        subscriptions = GraphSubscriptions(Subscriptions(cast("GraphClient", refusal_memory)), refusal_memory.said)
        changes = Changes(subscriptions, audit, owns, clock)
        reconciler = Reconciler(subscriptions, changes, keys, installation, clock)
        rounds = Rounds(tenants, owns, governor.ask, reconciler, clock)
        stream.status.add("subscriptions", rounds.report)
        flow = KeyedFlow(
            group=_GROUP,
            lanes=(Lane(LIFECYCLE),),
            step=KeeperStep(rounds.handle),
            on_exhausted=exhausted,
            ownership=ownership,
        )
        await _until_stopped(stop, stream.run(stop, flow), rounds.run(stop), tenants.follow(), _follow(keys))
        await audit.flush()


def _governor(stream: StreamRuntime, clock: Clock) -> Governor:
    """An operator's pause is not for the keeper: a subscription that is not renewed is lost."""
    limiter = RateLimiter(Role.KEEPER, 0, clock)
    stream.share_quota(APP_LIMIT, limiter)
    return Governor(limiter, stream.throttles)


async def _until_stopped(stop: asyncio.Event, *parts: Coroutine[Any, Any, None]) -> None:
    """Run all parts until `stop`; a part that ends early ends the others, and its exception is raised.

    The first two finish what they have begun, the others merely follow files.

    Not a TaskGroup, for the exit code hangs on the very exception that a group would wrap.
    """
    tasks: list[asyncio.Task[Any]] = [asyncio.create_task(part) for part in parts]
    stopping: asyncio.Task[Any] = asyncio.create_task(stop.wait())
    await asyncio.wait([*tasks, stopping], return_when=asyncio.FIRST_COMPLETED)
    stop.set()
    for follower in (*tasks[2:], stopping):
        follower.cancel()
    for outcome in await asyncio.gather(*tasks, return_exceptions=True):
        if isinstance(outcome, Exception):
            raise outcome


async def _follow(keys: KeysFile) -> None:
    while True:
        await asyncio.sleep(_KEYS_SECONDS)
        keys.refresh()
