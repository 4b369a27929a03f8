"""Fetch requests as they wait on a retry lane: Graph did not know the call at the first look."""

import asyncio
import time
from collections.abc import Iterable
from datetime import UTC, datetime

import orjson
from ringback_events import topics
from ringback_events.headers import fetch_request_headers
from ringback_events.times import wire_time

from ringback_faults.actions.planting import Planter
from ringback_faults.contract import call_key

__all__ = ["plant_waiting"]

_TIER_SECONDS = 120.0


async def plant_waiting(planter: Planter, tenant: str, calls: Iterable[str], time_scale: float) -> None:
    """Write a request for each call to the tier of two minutes, in this order, due when that time has passed."""
    name, wait = topics.FETCH_RETRY_2M.name, _TIER_SECONDS / time_scale
    written = [await planter.send(name, call_key(tenant, call), *_request(tenant, call, wait)) for call in calls]
    await asyncio.gather(*written)


def _request(tenant: str, call: str, wait: float) -> tuple[bytes, dict[str, bytes]]:
    now = wire_time(datetime.now(UTC))
    asked = {"tenantId": tenant, "callId": call, "changeType": "created", "source": "webhook", "receivedAt": now}
    identity = fetch_request_headers(tenant_id=tenant, call_id=call, source="webhook", received_at=now)
    return orjson.dumps(asked), {**dict(identity), **_looked_once(time.time() + wait)}


def _looked_once(due: float) -> dict[str, bytes]:
    return {
        "ringback_attempt": b"1",
        "ringback_looks": b"not_found=1",
        "ringback_reason": b"not_found",
        "ringback_due": str(int(due * 1000)).encode(),
    }
