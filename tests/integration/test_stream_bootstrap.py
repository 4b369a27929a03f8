"""Several bootstrap servers, as every cluster has: each client tries them one by one."""

import secrets

import pytest
from ringback_common.outcomes import Emit, Message
from ringback_events.topics import CONTROL, FETCH, INTERNAL_DEAD_LETTERS, RESTRICTED_DEAD_LETTERS, STATUS
from ringback_local.kafka import Broker
from ringback_local.ports import lease_ports
from ringback_stream.flows import KeyedFlow, Lane
from ringback_testing import eventually
from ringback_testing.fixtures import MakeTopics
from ringback_testing.streaming import Recorder, running, send_all, settings_for

pytestmark = pytest.mark.integration


async def test_a_process_joins_by_any_of_its_bootstrap_servers(
    kafka: Broker, make_topics: MakeTopics, topic_prefix: str
) -> None:
    """The first two are gone; producer, control table and consumer find the third."""
    await make_topics(*(t.name for t in (FETCH, CONTROL, STATUS, INTERNAL_DEAD_LETTERS, RESTRICTED_DEAD_LETTERS)))
    with lease_ports(2) as (one, other):
        servers = f"127.0.0.1:{one}, 127.0.0.1:{other},{kafka.bootstrap_servers}"
        settings = settings_for(servers, topic_prefix)
        step = Recorder(lambda _: Emit())
        flow = KeyedFlow(
            group=f"g{secrets.token_hex(4)}",
            lanes=(Lane(FETCH),),
            step=step,
            on_exhausted=lambda _received, _attempts: Emit(),
        )
        async with running(settings, flow):
            await send_all(settings, [Message(FETCH.name, b"tenant|call", b"{}")])
            await eventually(lambda: step.seen, 60)
