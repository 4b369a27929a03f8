"""A retry, a throttled tenant and a failure without a name: what waits, what goes on, what ends the run."""

import asyncio
import time
from collections import Counter

import pytest
from ringback_common.errors import Throttled, Transient
from ringback_common.outcomes import Emit, Outcome, Received
from ringback_common.scopes import Scope
from ringback_events.topics import (
    FETCH,
    FETCH_RETRY_2M,
    INTERNAL_DEAD_LETTERS,
)
from ringback_local.kafka import Broker
from ringback_stream.flows import RetryBudget
from ringback_testing import dump_topic, eventually
from ringback_testing.fetch_lanes import NEEDED, fetch, keyed
from ringback_testing.fixtures import MakeTopics
from ringback_testing.streaming import committed, running, send_all, settings_for

pytestmark = pytest.mark.integration


async def test_a_retry_lane_waits_until_due_and_holds_nobody_back(
    kafka: Broker, topic_prefix: str, make_topics: MakeTopics
) -> None:
    """A record due in 1.5 s comes then, not earlier; a live record of the same tenant does not wait for it."""
    await make_topics(*NEEDED)
    settings = settings_for(kafka.bootstrap_servers, topic_prefix)
    arrived: dict[bytes | None, float] = {}

    async def step(records: list[Received]) -> list[Outcome]:
        arrived.update((record.key, time.time()) for record in records)
        return [Emit()] * len(records)

    due = time.time() + 1.5
    header = (("ringback_due", str(int(due * 1000)).encode()),)
    async with running(settings, keyed(step)):
        await send_all(settings, [fetch("t|later", topic=FETCH_RETRY_2M.name, headers=header), fetch("t|now")])
        await eventually(lambda: b"t|later" in arrived)
    assert arrived[b"t|now"] < due
    assert due - 0.005 <= arrived[b"t|later"] < due + 1.0


async def test_a_lone_transient_failure_is_retried_and_then_given_up_while_others_go_on(
    kafka: Broker, topic_prefix: str, make_topics: MakeTopics
) -> None:
    """The in-place budget is three attempts here; the service then decides, and no other record waited."""
    topics = await make_topics(*NEEDED)
    settings = settings_for(kafka.bootstrap_servers, topic_prefix)
    tries: Counter[bytes | None] = Counter()

    async def step(records: list[Received]) -> list[Outcome]:
        tries[records[0].key] += 1
        if records[0].key == b"t|sick":
            raise Transient("timeout")
        return [Emit()] * len(records)

    flow = keyed(step, retry=RetryBudget(attempts=3, first=0.05))
    async with running(settings, flow):
        await send_all(settings, [*(fetch(f"t|{n}") for n in range(20)), fetch("t|sick"), fetch("t|last")])
        letters = await eventually(lambda: dump_topic(kafka.bootstrap_servers, topics[INTERNAL_DEAD_LETTERS.name]))
    assert tries[b"t|sick"] == 3
    assert tries[b"t|last"] == 1
    assert dict(letters[0].headers)["ringback_dlq_attempts"] == b"3"


async def test_a_throttled_tenant_waits_as_long_as_told_and_its_neighbour_does_not(
    kafka: Broker, topic_prefix: str, make_topics: MakeTopics
) -> None:
    """The tenant's other records do not start before Retry-After has passed."""
    await make_topics(*NEEDED)
    settings = settings_for(kafka.bootstrap_servers, topic_prefix)
    began: list[tuple[bytes | None, float]] = []

    async def step(records: list[Received]) -> list[Outcome]:
        first = not any(key and key.startswith(b"sick") for key, _ in began)
        began.append((records[0].key, time.monotonic()))
        if records[0].key and records[0].key.startswith(b"sick") and first:
            raise Throttled(Scope.tenant("sick"), 1.0)
        return [Emit()] * len(records)

    async with running(settings, keyed(step)):
        await send_all(settings, [fetch("sick|1")])
        await eventually(lambda: began)
        await send_all(settings, [fetch("sick|2"), fetch("well|1")])
        await eventually(lambda: len(began) == 4)
    throttled_at = began[0][1]
    later = [at for key, at in began[1:] if key and key.startswith(b"sick")]
    assert len(later) == 2
    assert min(later) >= throttled_at + 1.0
    assert next(at for key, at in began if key == b"well|1") < throttled_at + 1.0


async def test_an_unnamed_failure_ends_the_run_and_commits_nothing(
    kafka: Broker, topic_prefix: str, make_topics: MakeTopics
) -> None:
    """A bug propagates, although FastStream swallows what its handlers raise."""
    await make_topics(*NEEDED)
    settings = settings_for(kafka.bootstrap_servers, topic_prefix)

    async def step(records: list[Received]) -> list[Outcome]:
        raise ZeroDivisionError

    flow = keyed(step)
    async with running(settings, flow) as process:
        await send_all(settings, [fetch("t|1")])
        with pytest.raises(ZeroDivisionError):
            await asyncio.wait_for(process.task, 10)
    assert await committed(settings, flow.group, FETCH.name) == {}
