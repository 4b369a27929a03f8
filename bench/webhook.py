"""Stage webhook: one genuine item a POST into a real Kafka, beside an application that only answers."""

import asyncio
import secrets
from collections.abc import Sequence
from pathlib import Path

from ringback_events.topics import FETCH, LIFECYCLE
from ringback_ingest.client_state import new_keys_file
from ringback_local.child import Child, clean_environment

from bench.contestant import Ran
from bench.figures import RINGBACK, Figures
from bench.kafka import Lanes
from bench.posts import Poster, Posts
from bench.programs import ROOT, Service, answers, begin, free_ports, script
from bench.round import Round

__all__ = ["measure"]

_CONNECTIONS = (32, 128)
_PACE = 500.0
_WARM = 1.5
_PROBE = 0.2


class Webhook:
    """`ringback-ingest webhook`."""

    name = RINGBACK

    def __init__(self, lanes: Lanes, folder: Path, keys: bytes) -> None:
        keys_file = folder / "client-state-keys.json"
        keys_file.write_bytes(keys)
        [self._port] = free_ports(1)
        env = {
            **lanes.settings,
            "RINGBACK_WEBHOOK__HOST": "127.0.0.1",
            "RINGBACK_WEBHOOK__PORT": str(self._port),
            "RINGBACK_WEBHOOK__DRAIN_SECONDS": "0",
            "RINGBACK_WEBHOOK__CLIENT_STATE_KEYS_FILE": str(keys_file),
        }
        self._service = Service("webhook", ["ringback-ingest", "webhook"], env, folder)
        self._poster = Poster(folder, keys)

    async def start(self) -> None:
        """Until the first POSTs are answered 202: Kafka is connected then."""
        await self._service.start()
        accepted = 0
        while not accepted:
            accepted = (await self.run(Posts(1, _PROBE))).records

    def pids(self) -> Sequence[int]:
        """One process."""
        return [self._service.pid]

    async def run(self, load: Posts) -> Ran:
        """Post."""
        return await self._poster.post(self._port, load)

    async def stop(self) -> None:
        """Stop it."""
        await self._service.stop()


class BareAnswer:
    """The baseline: uvicorn with `bench.bare_webhook`."""

    name = "bare ASGI, answers only"

    def __init__(self, folder: Path, keys: bytes) -> None:
        [self._port] = free_ports(1)
        options = ["--no-access-log", "--loop", "uvloop", "--http", "httptools", "--lifespan", "off"]
        command = script("uvicorn", "bench.bare_webhook:app", "--port", str(self._port), *options)
        environment = clean_environment({"PYTHONPATH": str(ROOT)})
        self._child = Child("bare-webhook", command, environment, folder / "bare-webhook.log")
        self._poster = Poster(folder, keys)

    async def start(self) -> None:
        """Until it answers."""
        await begin(self._child, lambda: answers(f"http://127.0.0.1:{self._port}/"))

    def pids(self) -> Sequence[int]:
        """One process."""
        return [self._child.pid]

    async def run(self, load: Posts) -> Ran:
        """Post."""
        return await self._poster.post(self._port, load)

    async def stop(self) -> None:
        """Stop it."""
        await asyncio.to_thread(self._child.stop)


async def measure(bench: Round, bootstrap: str) -> list[Figures]:
    """Full load at two numbers of connections, and the latency of a steady pace."""
    keys = new_keys_file("bench", secrets.token_bytes(32))
    lines: list[Figures] = []
    async with Lanes.open(bootstrap, FETCH, LIFECYCLE) as lanes:
        for contestant in (Webhook(lanes, bench.folder, keys), BareAnswer(bench.folder, keys)):
            await contestant.start()
            try:
                lines += await _loads(bench, contestant)
            finally:
                await contestant.stop()
    return lines


async def _loads(bench: Round, contestant: Webhook | BareAnswer) -> list[Figures]:
    baseline = contestant.name != RINGBACK
    await contestant.run(Posts(_CONNECTIONS[-1], min(_WARM, bench.seconds)))
    paced = Posts(_CONNECTIONS[0], bench.seconds, _PACE)
    loads = {f"{count} connections": Posts(count, bench.seconds) for count in _CONNECTIONS}
    loads |= {f"{_PACE:.0f} POST/s": paced}
    return [await bench.measure(("webhook", name), contestant, load, baseline=baseline) for name, load in loads.items()]
