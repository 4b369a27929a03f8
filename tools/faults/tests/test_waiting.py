"""What the harness writes to a retry lane is what an enricher would have left there."""

import asyncio
import time
from collections.abc import Awaitable, Mapping
from typing import cast

from ringback_events.fetch import FetchRequest
from ringback_events.topics import FETCH_RETRY_2M
from ringback_faults.actions.planting import Planter
from ringback_faults.actions.waiting import plant_waiting
from ringback_faults.contract import call_key

TENANT = "11111111-2222-3333-4444-555555555555"
CALLS = [f"aaaaaaaa-0000-0000-0000-00000000000{number}" for number in range(5)]


class _Lane:
    """A planter that keeps what it is given."""

    def __init__(self) -> None:
        self.written: list[tuple[str, bytes, bytes, Mapping[str, bytes]]] = []

    async def send(self, name: str, key: bytes, value: bytes, headers: Mapping[str, bytes]) -> Awaitable[None]:
        """As Kafka would."""
        self.written.append((name, key, value, headers))
        return asyncio.sleep(0)


async def test_requests_wait_on_their_tier_in_the_order_in_which_they_are_due() -> None:
    """Whoever is due later stands behind, or the lane would wait for him; the tier's two minutes take 2 s at 60."""
    lane, began = _Lane(), time.time()
    await plant_waiting(cast("Planter", lane), TENANT, CALLS, time_scale=60)
    assert [(name, key) for name, key, _, _ in lane.written] == [
        (FETCH_RETRY_2M.name, call_key(TENANT, call)) for call in CALLS
    ]
    due = [int(headers["ringback_due"]) / 1000 for *_, headers in lane.written]
    assert due == sorted(due)
    assert began + 1.99 <= due[0] <= time.time() + 2


async def test_they_keep_the_contract_and_say_how_often_they_were_tried() -> None:
    """Once, for Graph did not know the call."""
    lane = _Lane()
    await plant_waiting(cast("Planter", lane), TENANT, CALLS[:1], time_scale=60)
    ((_, _, value, headers),) = lane.written
    asked = FetchRequest.model_validate_json(value)
    assert (asked.tenant_id, asked.call_id, asked.source) == (TENANT, CALLS[0], "webhook")
    reported = {name: headers[f"ringback_{name}"] for name in ("attempt", "looks", "reason")}
    assert reported == {"attempt": b"1", "looks": b"not_found=1", "reason": b"not_found"}
    assert headers["ce_tenantid"] == TENANT.encode()
