"""A read that takes longer than its request may be in hand, on a real Kafka before the simulated Graph."""

import asyncio
from collections import Counter

import pytest
from ringback_events.topics import FETCH_RETRY_10S, RECORDS
from ringback_testing.fetching import SimulatedFetching

pytestmark = pytest.mark.integration

PAGE_SECONDS = 0.5
WHEN_THE_LAST_COPY_HAS_COME = 3.0
"""A copy waits a second at this time scale."""


async def test_a_meeting_whose_pages_take_long_is_read_once_and_stored(fetching: SimulatedFetching) -> None:
    """Its request has left its partition long before; the copies wait, are answered by the read and ask nothing."""
    made = await fetching.call("largeMeeting")
    delay = {"effect": "delay", "route": "records", "callId": made["callId"], "seconds": PAGE_SECONDS}
    await fetching.control("POST", "/control/faults", delay)
    await fetching.ask(made["callId"], source="reconcile")
    record = await fetching.published(made["callId"], timeout=60.0)
    assert len(record["graph"]["sessions"]) == made["sessions"]
    copies = await fetching.on(FETCH_RETRY_10S, made["callId"])
    assert copies
    assert all(dict(copy.headers)["ringback_read"] for copy in copies)
    await asyncio.sleep(WHEN_THE_LAST_COPY_HAS_COME)
    asked = Counter((line["route"], line["page"]) for line in await fetching.requests(made["callId"]))
    assert asked.total() * PAGE_SECONDS > 5
    assert max(asked.values()) == 1
    assert len(await fetching.on(RECORDS, made["callId"])) == 1
