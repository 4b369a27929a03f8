"""The Kafka clients of tools and tests: closing one does not disturb the code that opened it."""

import asyncio
import time

import pytest
from ringback_events.topics import CONTROL
from ringback_local.kafka import Broker, clients
from ringback_testing.fixtures import MakeTopics

pytestmark = [pytest.mark.integration]

REQUEST_SECONDS = 1.0
"""Limit of a request; 40 s by default."""


async def test_closing_a_consumer_after_its_event_loop_stood_still_raises_nothing(
    kafka: Broker, make_topics: MakeTopics
) -> None:
    """The fetch that was under way times out at once; closing cancels its retry, which aiokafka raises as its own."""
    names = (await make_topics(CONTROL.name)).values()
    request_ms = int(REQUEST_SECONDS * 1000)
    async with clients.consumer(kafka.bootstrap_servers, *names, request_timeout_ms=request_ms) as consumer:
        await consumer.getmany(timeout_ms=100)
        await asyncio.sleep(0.1)  # by now the next fetch is under way
        time.sleep(2 * REQUEST_SECONDS)
