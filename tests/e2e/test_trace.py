"""One call is one trace: from Graph's POST over Kafka and the fetch to the row, across all processes."""

import pytest
from ringback_events.topics import CALLS, FETCH, RECORDS, SESSIONS
from ringback_testing import eventually
from ringback_testing.installation import Installation
from ringback_testing.records import Record
from ringback_testing.span_collector import CollectedSpan

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(180), pytest.mark.asyncio(loop_scope="session")]

EXPECTED = [
    "ringback-webhook: POST /graph",
    "  ringback-fetch: process callrecords.internal.fetch.v1",
    "    ringback-store: store callrecords.restricted.records.v1",
]


async def test_one_call_is_one_trace_from_the_post_to_the_row(installation: Installation) -> None:
    """The exported spans of a call form exactly the expected tree, and every record of it carries its trace."""
    call_id, trace_id = await _traced_call(installation)
    _later_call, later_trace_id = await _traced_call(installation)

    async def later_is_whole() -> bool:  # and the earlier with it: each process exports in order
        spans = installation.collector.spans()
        return len({span.service for span in spans if span.trace_id == later_trace_id}) == len(EXPECTED)

    await eventually(later_is_whole, 30)
    spans = [span for span in installation.collector.spans() if span.trace_id == trace_id]
    assert outline(spans) == EXPECTED
    for topic in (RECORDS, SESSIONS, CALLS):
        assert {_trace_of(event) for event in await installation.on(topic, call_id)} == {trace_id}


async def _traced_call(installation: Installation) -> tuple[str, str]:
    made = await installation.call("peerToPeer")
    await installation.stored(made["callId"])
    (request,) = await installation.on(FETCH, made["callId"])
    return made["callId"], _trace_of(request)


def _trace_of(record: Record) -> str:
    return dict(record.headers)["traceparent"].decode().split("-")[1]


def outline(spans: list[CollectedSpan], parent: str = "", depth: int = 0) -> list[str]:
    """The spans below a parent, indented by depth; one whose parent is not among them is missing here."""
    lines: list[str] = []
    for span in spans:
        if span.parent_id == parent:
            lines += [f"{'  ' * depth}{span.service}: {span.name}", *outline(spans, span.span_id, depth + 1)]
    return lines
