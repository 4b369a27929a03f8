"""Stage webhook: one genuine item a POST into a real Kafka, beside an application that only answers."""

import asyncio
import secrets
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import orjson
from ringback_events.topics import FETCH, LIFECYCLE
from ringback_ingest.client_state import CALL_RECORDS, client_state, keys_of, new_keys_file
from ringback_local.child import Child, clean_environment

from bench.contestant import Latency, Ran
from bench.figures import RINGBACK, Figures
from bench.http_load import CALL_ID, Job, Outcome
from bench.kafka import Lanes
from bench.programs import ROOT, Service, answers, begin, free_ports, script
from bench.round import Round
from bench.tenants import TENANTS

__all__ = ["measure"]

_CONNECTIONS = (32, 128)
_PACE = 500.0
_WARM = 1.5


@dataclass(frozen=True, slots=True)
class Posts:
    """Connections, and POSTs a second over all of them; 0: as many as are answered."""

    connections: int
    seconds: float
    rate: float = 0.0


class Poster:
    """Lets the load's process post to one port."""

    def __init__(self, folder: Path, keys: bytes) -> None:
        self._file = folder / "http-load.json"
        ring = keys_of(keys, "keys")
        self._items = [_item(tenant, client_state(ring.active, tenant, CALL_RECORDS)) for tenant in TENANTS]

    async def post(self, port: int, load: Posts) -> Ran:
        """Carry out a load; raises RuntimeError if the client's process fails."""
        job = Job(port, load.connections, load.seconds, load.rate, [_request(port, item) for item in self._items])
        self._file.write_bytes(orjson.dumps(asdict(job)))
        client = await asyncio.create_subprocess_exec(
            *script("bench.http_load", str(self._file)), stdout=asyncio.subprocess.PIPE, cwd=ROOT
        )
        printed, _ = await client.communicate()
        if client.returncode:
            raise RuntimeError(f"the load's process ended with {client.returncode}")
        told = Outcome(**orjson.loads(printed))
        return Ran(told.accepted, told.began, told.ended, Latency(told.p50, told.p99), failures=told.others)


def _item(tenant: str, proof: str) -> bytes:
    call = CALL_ID.decode()
    item = {
        "subscriptionId": "5d6e1b0f-4f51-4a3b-9d9c-1f2b3c4d5e6f",
        "clientState": proof,
        "changeType": "updated",
        "resource": "communications/callRecords",
        "resourceData": {"@odata.type": "#microsoft.graph.callRecord", "id": call},
        "subscriptionExpirationDateTime": "2026-11-25T09:00:00.0000000Z",
        "tenantId": tenant,
    }
    return orjson.dumps({"value": [item]})


def _request(port: int, body: bytes) -> str:
    query = f"slot={CALL_RECORDS}&kid=bench&installation=bench"
    head = (
        f"POST /graph/notifications?{query} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUser-Agent: bench\r\n"
        f"Accept: */*\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head + body.decode()


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
            "RINGBACK_WEBHOOK__CLIENT_STATE_KEYS_FILE": str(keys_file),
        }
        self._service = Service("webhook", ["ringback-ingest", "webhook"], env, folder)
        self._poster = Poster(folder, keys)

    async def start(self) -> None:
        """Until the first POSTs are answered 202: Kafka is connected then."""
        await self._service.start()
        while not (await self.run(Posts(1, 0.2))).records:
            await asyncio.sleep(0.1)

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
