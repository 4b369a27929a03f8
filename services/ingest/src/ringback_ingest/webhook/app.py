"""Wires the webhook: settings, keys, the group-commit producer, the HTTP server, health; and ends it in order."""

import asyncio
import gc

from ringback_common import logs
from ringback_common.clock import SystemClock
from ringback_common.health import AdminServer, Health
from ringback_common.process import begin
from ringback_common.settings import ProcessSettings, load
from ringback_stream.publish.group_commit import GroupCommitProducer
from ringback_stream.shared.connection import client_options

from ringback_ingest.keys_file import KeysFile
from ringback_ingest.settings import WebhookSection
from ringback_ingest.webhook.adapters.server import HttpServer
from ringback_ingest.webhook.core.genuine import Proof
from ringback_ingest.webhook.core.limits import KAFKA_SECONDS
from ringback_ingest.webhook.entry import NotificationEntry

__all__ = ["WebhookSettings", "serve"]

_KEYS_SECONDS = 10.0
"""How often the keys file is looked at; a key's end is noticed as late."""

_log = logs.logger(__name__)


class WebhookSettings(ProcessSettings):
    """What the webhook needs to know."""

    webhook: WebhookSection


class _Webhook:
    """The parts of the process, made in the order in which they need each other.

    Raises:
        ConfigError: Kafka's settings or the keys file are not usable.
    """

    def __init__(self, settings: WebhookSettings) -> None:
        self._settings = settings
        self._clock = SystemClock()
        client_options(settings.kafka)  # the producer connects in the background, where a mistake would go unheard
        self._keys = KeysFile(settings.webhook.client_state_keys_file, settings.profile, self._clock)
        self._producer = GroupCommitProducer(settings.kafka, deadline=KAFKA_SECONDS)
        self._entry = NotificationEntry(self._producer, self._proof(), self._clock)
        at = settings.webhook
        self._server = HttpServer(self._entry, at.host, at.port, at.unproven_per_peer)
        self._health = Health()
        self._admin = AdminServer(self._health, settings.admin)
        self._stopping = False

    async def start(self) -> None:
        """Answer from now on, with 503 until Kafka is there."""
        await self._admin.start()
        await self._producer.start()
        await self._server.start()
        self._health.live("progress", self._server.stalled)
        self._health.ready("serving", lambda: "The webhook is stopping." if self._stopping else None)
        self._keys_task = asyncio.create_task(self._follow_keys(), name="webhook-keys")
        gc.collect()
        gc.freeze()  # what is alive now stays: the collector need not walk it again for every few hundred POSTs
        _log.info("The webhook listens.", port=self._server.port)

    async def until(self, stop: asyncio.Event) -> None:
        """Wait for `stop`; a bug in the producer's background raises: every POST would be answered 503 ever after."""
        stopping = asyncio.create_task(stop.wait(), name="stop")
        failed = asyncio.create_task(self._producer.failed(), name="producer-failed")
        done, pending = await asyncio.wait((stopping, failed), return_when=asyncio.FIRST_COMPLETED)
        for task in pending:
            task.cancel()
        if failed in done:
            failed.result()

    async def stop(self) -> None:
        """Unready first, then no new connection, then the answers that are due, the producer last.

        Until the listener closes, `drain_seconds` later, requests are served as before, each as the last of its
        connection (docs/adr/0050-a-stop-announces-the-end-of-connections.md).
        """
        self._stopping = True
        self._server.drain()
        _log.info("The webhook stops; what arrives in the next seconds is still answered.")
        await asyncio.sleep(self._settings.webhook.drain_seconds)
        await self._server.stop()
        self._keys_task.cancel()
        await self._producer.stop()
        await self._admin.stop()
        _log.info("The webhook has stopped.")

    def _proof(self) -> Proof:
        return Proof(self._keys.ring, self._clock.now(), self._settings.installation_id)

    async def _follow_keys(self) -> None:
        while True:
            await asyncio.sleep(_KEYS_SECONDS)
            self._keys.refresh()
            self._entry.proof = self._proof()


async def serve(stop: asyncio.Event) -> None:
    """Run the webhook until `stop` is set.

    Raises:
        ConfigError: a setting or the keys file is not usable.
    """
    settings = load(WebhookSettings)
    begin("webhook", settings)
    webhook = _Webhook(settings)
    await webhook.start()
    await webhook.until(stop)
    await webhook.stop()
