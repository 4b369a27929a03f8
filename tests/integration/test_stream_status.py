"""Status reports on a real Kafka."""

import asyncio

import pytest
from ringback_common.clock import SystemClock
from ringback_events.topics import STATUS
from ringback_local.kafka import Broker
from ringback_stream.shared.status import StatusPart, StatusReporter
from ringback_testing import dump_topic
from ringback_testing.fixtures import MakeTopics
from ringback_testing.streaming import producing, settings_for

pytestmark = pytest.mark.integration


async def test_what_is_reported_may_change_while_it_is_written(
    kafka: Broker, make_topics: MakeTopics, topic_prefix: str
) -> None:
    """A keeper may lose tenants while its report waits for Kafka: what was known when it was asked is written."""
    names = await make_topics(STATUS.name)
    known = {"first": StatusPart("ok"), "second": StatusPart("ok")}

    async def forget() -> None:
        del known["second"]

    async with producing(settings_for(kafka.bootstrap_servers, topic_prefix)) as producer:
        reporter = StatusReporter("keeper", producer, SystemClock())
        reporter.add("tenants", lambda: (StatusPart(each.state, {}, name) for name, each in known.items()))
        async with asyncio.TaskGroup() as group:
            group.create_task(reporter.report())
            group.create_task(forget())  # its turn comes when the first report waits for its acknowledgement
    assert len(await dump_topic(kafka.bootstrap_servers, names[STATUS.name])) == 2
