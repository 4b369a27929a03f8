"""What lies in Kafka before the process starts: fetch requests as the webhook writes them, an operator's pause."""

import uuid
from collections.abc import AsyncGenerator, Callable, Iterable, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from itertools import islice

import orjson
from ringback_common.outcomes import Message
from ringback_common.settings import KafkaSettings
from ringback_events.headers import fetch_request_headers
from ringback_events.keys import call_key, control_key
from ringback_events.platform_events import ControlEntry
from ringback_events.times import wire_time
from ringback_events.topics import CONTROL, FETCH
from ringback_events.wire import FetchRequestWire
from ringback_stream.publish.producer import Producer

from bench.kafka import Lanes

__all__ = ["pause", "write_backlog"]

_TOGETHER = 5_000
_PROGRESS_EVERY = 100_000
_SUBSCRIPTION = str(uuid.uuid5(uuid.NAMESPACE_URL, "bench/subscription"))


async def write_backlog(lanes: Lanes, tenants: Iterable[str], progress: Callable[[str], None]) -> None:
    """Write a request for a new call of each of these tenants, in this order.

    Raises:
        RuntimeError: Kafka did not take some of them.
    """
    requests, written = _requests(tenants), 0
    async with _producing(lanes) as producer:
        while messages := list(islice(requests, _TOGETHER)):
            if await producer.send_together(messages, lambda _: None):
                raise RuntimeError("Kafka did not take all requests")
            written += len(messages)
            if written % _PROGRESS_EVERY == 0:
                progress(f"{written:,} requests written")


async def pause(lanes: Lanes, tenant: str) -> None:
    """Pause a tenant, as docs/operating.md tells an operator to."""
    now = datetime.now(UTC)
    entry = ControlEntry(kind="pause", subject=tenant, reason="maintenance", since=now, by="operator:bench")
    async with _producing(lanes) as producer:
        key = control_key("pause", tenant)
        await producer.send(Message(CONTROL.name, key, entry.model_dump_json().encode()))


def _requests(tenants: Iterable[str]) -> Iterator[Message]:
    now = wire_time(datetime.now(UTC))
    return (_request(tenant, str(uuid.uuid4()), now) for tenant in tenants)


def _request(tenant: str, call: str, now: str) -> Message:
    request: FetchRequestWire = {
        "tenantId": tenant,
        "callId": call,
        "changeType": "updated",
        "source": "webhook",
        "subscriptionId": _SUBSCRIPTION,
        "receivedAt": now,
    }
    headers = fetch_request_headers(tenant_id=tenant, call_id=call, source="webhook", received_at=now)
    return Message(FETCH.name, call_key(tenant, call), orjson.dumps(request), headers)


@asynccontextmanager
async def _producing(lanes: Lanes) -> AsyncGenerator[Producer]:
    """The services' own producer, so that batches are as large as theirs."""
    producer = Producer(KafkaSettings(bootstrap_servers=lanes.bootstrap, topic_prefix=lanes.prefix))
    await producer.start()
    try:
        yield producer
    finally:
        await producer.stop()
