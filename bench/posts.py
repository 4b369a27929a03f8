"""The webhook's load as its contestants are given it, and the process that carries it out."""

import asyncio
from dataclasses import asdict, dataclass
from pathlib import Path

import orjson
from ringback_ingest.client_state import CALL_RECORDS, client_state, keys_of

from bench.contestant import Latency, Ran
from bench.http_job import CALL_ID, Job, Outcome
from bench.programs import ROOT, script
from bench.tenants import TENANTS

__all__ = ["Poster", "Posts"]


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
        reported = Outcome(**orjson.loads(printed))
        return Ran(
            reported.accepted,
            reported.began,
            reported.ended,
            Latency(reported.p50, reported.p99),
            failures=reported.others,
        )


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
