"""Fetch requests as they wait on a retry lane: Graph did not know the call at the first look."""

import asyncio
import time
from collections.abc import Iterable
from datetime import UTC, datetime

import orjson
from ringback_common.clock import iso
from ringback_events import topics
from ringback_events.headers import fetch_request_headers

from ringback_faults.actions.planting import Planter
from ringback_faults.contract import call_key

__all__ = ["plant_waiting"]


async def plant_waiting(planter: Planter, tenant: str, calls: Iterable[str]) -> None:
    """Write a request for each call to the tier of two minutes, in this order; each is due now."""
    written = [
        await planter.send(topics.FETCH_RETRY_2M.name, call_key(tenant, call), *_request(tenant, call))
        for call in calls
    ]
    await asyncio.gather(*written)


def _request(tenant: str, call: str) -> tuple[bytes, dict[str, bytes]]:
    now = iso(datetime.now(UTC))
    asked = {"tenantId": tenant, "callId": call, "changeType": "created", "source": "webhook", "receivedAt": now}
    identity = fetch_request_headers(tenant_id=tenant, call_id=call, source="webhook", received_at=now)
    return orjson.dumps(asked), {**dict(identity), **_looked_once()}


def _looked_once() -> dict[str, bytes]:
    return {
        "ringback_attempt": b"1",
        "ringback_looks": b"not_found=1",
        "ringback_reason": b"not_found",
        "ringback_due": str(int(time.time() * 1000)).encode(),
    }
