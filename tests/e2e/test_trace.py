"""One call is one trace: from Graph's POST over Kafka and the fetch to the row, across all processes."""

from typing import Any

import pytest
from aiokafka import ConsumerRecord
from ringback_events.topics import CALLS, FETCH, RECORDS, SESSIONS
from ringback_testing import eventually
from ringback_testing.installation import Installation
from ringback_testing.span_collector import CollectedSpan

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120), pytest.mark.asyncio(loop_scope="session")]


async def test_one_call_is_one_trace_from_the_post_to_the_row(installation: Installation) -> None:
    """The exported spans of a call form exactly the expected tree, and every record of it carries its trace."""
    made = await installation.call("peerToPeer")
    await installation.stored(made["callId"])
    (request,) = await installation.on(FETCH, made["callId"])
    trace_id = _trace_of(request)

    async def whole() -> list[CollectedSpan] | None:
        of_trace = [span for span in installation.collector.spans() if span.trace_id == trace_id]
        return of_trace if any(span.service == "ringback-store" for span in of_trace) else None

    spans = await eventually(whole, 30)
    print(tree(spans))
    assert tree(spans) == {}
    for topic in (RECORDS, SESSIONS, CALLS):
        carried = {
            dict(each.headers)["traceparent"].decode().split("-")[1]
            for each in await installation.on(topic, made["callId"])
        }
        assert carried == {trace_id}


def _trace_of(record: ConsumerRecord) -> str:
    return dict(record.headers)["traceparent"].decode().split("-")[1]


def tree(spans: list[CollectedSpan], parent: str = "") -> dict[str, Any]:
    """The spans below a parent by service and name."""
    return {f"{span.service}: {span.name}": tree(spans, span.span_id) for span in spans if span.parent_id == parent}
