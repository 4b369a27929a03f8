"""The webhook's load: POSTs over kept-alive connections, one in flight on each. A process of its own.

    python -m bench.http_load <job.json>   prints what came of it as one line of JSON

With `rate` 0 every connection posts again as soon as it is answered; otherwise POSTs fall due at that rate, and the
latency counts from the due time, so that an answer that holds up the next POST is not forgiven.
"""

import asyncio
import sys
import time
from collections import deque
from dataclasses import asdict
from pathlib import Path
from typing import cast

import orjson
import uvloop

from bench.contestant import Latency
from bench.http_job import CALL_ID, Job, Outcome

_END = b"\r\n\r\n"


class Load:
    """Counts, and hands every connection its next request."""

    def __init__(self, job: Job) -> None:
        parts = [request.encode().split(CALL_ID) for request in job.requests]
        self._requests = [(before, after) for before, after in parts]
        self._sent = 0
        self._prefix = f"{time.time_ns() & 0xFFFFFFFF:08x}-0000-4000-8000-".encode()
        self.paced = job.rate > 0
        self.open = True
        self.accepted = 0
        self.others = 0
        self.waits: list[float] = []
        self.idle: deque[Connection] = deque()
        self.due: deque[float] = deque()

    def next(self) -> bytes:
        """A request for a call that no notification named before."""
        before, after = self._requests[self._sent % len(self._requests)]
        self._sent += 1
        return before + self._prefix + b"%012x" % self._sent + after

    def answered(self, connection: "Connection", status: bytes, wait: float) -> None:
        """Note an answer; the connection goes on unless the load is over."""
        if not self.open:
            return
        self.waits.append(wait)
        if status == b"202":
            self.accepted += 1
        else:
            self.others += 1
        if not self.paced:
            connection.post(time.perf_counter())
        elif self.due:
            connection.post(self.due.popleft())
        else:
            self.idle.append(connection)


class Connection(asyncio.Protocol):
    """One kept-alive connection with at most one request in flight."""

    def __init__(self, load: Load) -> None:
        self._load = load
        self._lengths: dict[bytes, int] = {}
        self._held = b""
        self._since = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the way out."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is none by inheritance

    def post(self, since: float) -> None:
        """Send the next request; its latency counts from `since`."""
        self._since = since
        self._transport.write(self._load.next())

    def data_received(self, data: bytes) -> None:
        """Wait for the whole answer."""
        self._held += data
        end = self._held.find(_END)
        if end < 0 or len(self._held) < end + len(_END) + self._length(self._held[:end]):
            return
        status, self._held = self._held[9:12], b""
        self._load.answered(self, status, time.perf_counter() - self._since)

    def _length(self, head: bytes) -> int:
        # Heads repeat within a second (their Date), so that nearly every look-up finds its answer.
        if head not in self._lengths:
            _, _, behind = head.lower().partition(b"content-length:")
            self._lengths[head] = int(behind.split(b"\r", 1)[0] or 0)
        return self._lengths[head]

    def connection_lost(self, exc: Exception | None) -> None:
        """A connection that ends under load is a failure."""
        if self._load.open:
            raise ConnectionError("the server closed a kept-alive connection") from exc


async def _carry_out(job: Job) -> Outcome:
    loop, load = asyncio.get_running_loop(), Load(job)
    made = [
        await loop.create_connection(lambda: Connection(load), "127.0.0.1", job.port) for _ in range(job.connections)
    ]
    connections = [protocol for _, protocol in made]
    began = time.time()
    if load.paced:
        load.idle.extend(connections)
        await _pace(load, job)
    else:
        for connection in connections:
            connection.post(time.perf_counter())
        await asyncio.sleep(job.seconds)
    ended = time.time()
    load.open = False
    for transport, _ in made:
        transport.abort()
    latency = Latency.of([1000 * wait for wait in load.waits] or [0.0])
    return Outcome(began, ended, load.accepted, load.others, latency.p50, latency.p99)


async def _pace(load: Load, job: Job) -> None:
    start, total = time.perf_counter(), int(job.rate * job.seconds)
    for number in range(total):
        due = start + number / job.rate
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
        if load.idle:
            load.idle.popleft().post(due)
        else:
            load.due.append(due)


if __name__ == "__main__":
    wanted = Job(**orjson.loads(Path(sys.argv[1]).read_bytes()))
    sys.stdout.buffer.write(orjson.dumps(asdict(uvloop.run(_carry_out(wanted)))) + b"\n")
