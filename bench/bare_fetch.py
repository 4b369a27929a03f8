"""The enricher's baseline: what a script written by hand does. Consume, GET twice, check that it is JSON, write that.

    python -m bench.bare_fetch <job.json>

No derivation, no open tier, no tokens, no budget, no retry, no dead letter; as many requests in flight as the enricher.
"""

import asyncio
import ssl
import sys
from pathlib import Path
from typing import Any

import aiohttp
import orjson
import uvloop
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from ringback_events.topics import FETCH, RECORDS

__all__ = ["READY"]

READY = "consuming"
_IN_FLIGHT = 64
_QUERIES = ("$expand=sessions($expand=segments)", "$select=id,version,participants_v2&$expand=participants_v2")
"""Graph is likely to expand one relationship a request only."""


class Script:
    """One consumer, one producer, one HTTP session."""

    def __init__(self, job: dict[str, str], http: aiohttp.ClientSession, producer: Any) -> None:
        self._url = job["graph_url"] + "/v1.0/communications/callRecords/"
        self._topic = job["prefix"] + RECORDS.name
        self._http = http
        self._producer = producer
        self._room = asyncio.Semaphore(_IN_FLIGHT)

    async def carry(self, request: Any) -> None:
        """One record from Graph to Kafka, acked."""
        call = orjson.loads(request.value)["callId"]
        async with self._room:
            bodies = [await self._read(f"{self._url}{call}?{query}") for query in _QUERIES]
            for body in bodies:
                orjson.loads(body)
            await self._producer.send_and_wait(self._topic, b"[%s,%s]" % (bodies[0], bodies[1]), key=request.key)

    async def _read(self, url: str) -> bytes:
        async with self._http.get(url, headers={"Authorization": "Bearer x"}) as answer:
            return await answer.read()


async def _run(job: dict[str, str]) -> None:
    connector = aiohttp.TCPConnector(limit=128, ssl=ssl.create_default_context(cafile=job["ca_file"]))
    servers, topic = job["bootstrap"], job["prefix"] + FETCH.name
    consumer: Any = AIOKafkaConsumer(
        topic,
        bootstrap_servers=servers,
        group_id="bare-fetch",
        auto_offset_reset="earliest",
        enable_auto_commit=False,
    )
    producer: Any = AIOKafkaProducer(
        bootstrap_servers=servers,
        acks="all",
        enable_idempotence=True,
        compression_type="zstd",
        max_request_size=8 * 1024 * 1024,
    )
    async with consumer, producer, aiohttp.ClientSession(connector=connector) as http:
        script = Script(job, http, producer)
        await consumer.getmany(timeout_ms=100)
        print(READY, flush=True)
        while True:
            batches = await consumer.getmany(timeout_ms=500, max_records=1000)
            await asyncio.gather(*(script.carry(request) for batch in batches.values() for request in batch))
            await consumer.commit()


if __name__ == "__main__":
    uvloop.run(_run(orjson.loads(Path(sys.argv[1]).read_bytes())))
