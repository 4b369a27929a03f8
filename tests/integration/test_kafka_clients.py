"""The clients of tools and tests: what they leave behind for whoever opened them."""

import asyncio
import time

import pytest
from ringback_events.topics import CONTROL
from ringback_local.kafka import Broker, clients
from ringback_testing.fixtures import MakeTopics

pytestmark = [pytest.mark.integration]

REQUEST_SECONDS = 1.0
"""How long a request may take; 40 s unless told otherwise."""


async def test_a_consumer_ends_quietly_though_its_loop_stood_still(kafka: Broker, make_topics: MakeTopics) -> None:
    """The fetch that ran meanwhile is over time at once, and its consumer is stopped while it waits to try again."""
    names = (await make_topics(CONTROL.name)).values()
    request_ms = int(REQUEST_SECONDS * 1000)
    async with clients.consumer(kafka.bootstrap_servers, *names, request_timeout_ms=request_ms) as consumer:
        await consumer.getmany(timeout_ms=100)
        await asyncio.sleep(0.1)  # by now the next fetch is under way
        time.sleep(2 * REQUEST_SECONDS)
