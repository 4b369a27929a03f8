"""The trace of a POST: its server span is the parent that the record's headers name."""

import asyncio
import math
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind
from ringback_common.clock import SystemClock
from ringback_common.outcomes import Message
from ringback_events.headers import read_headers
from ringback_ingest.client_state import CALL_RECORDS, KeyRing, NotificationQuery
from ringback_ingest.webhook.adapters import spans
from ringback_ingest.webhook.core.admission import Status
from ringback_ingest.webhook.core.genuine import Proof
from ringback_ingest.webhook.entry import NotificationEntry


class AcceptingWriter:
    """Acknowledges everything."""

    accepting = True

    def __init__(self) -> None:
        self.written: list[Message] = []

    async def write(self, messages: Sequence[Message]) -> None:
        """Keep them."""
        self.written.extend(messages)


async def test_server_span_is_the_records_parent(
    monkeypatch: pytest.MonkeyPatch, ring: KeyRing, item: Callable[..., dict[str, Any]], body: Callable[..., bytes]
) -> None:
    """One root span per POST, open until the answer, with its status; every record of the POST names it."""
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr(spans, "_TRACER", provider.get_tracer("test"))
    writer, answers = AcceptingWriter(), list[Status]()
    entry = NotificationEntry(writer, Proof(ring, datetime(2026, 11, 22, 12, 0, tzinfo=UTC), "test"), SystemClock())
    entry.take(NotificationQuery(CALL_RECORDS), body(item(), item()), answers.append, math.inf)
    assert exporter.get_finished_spans() == ()
    while entry._writes or not answers:
        await asyncio.sleep(0)
    assert answers == [Status.ACCEPTED]
    (span,) = exporter.get_finished_spans()
    context = span.get_span_context()
    assert context is not None
    expected = f"00-{context.trace_id:032x}-{context.span_id:016x}-{context.trace_flags:02x}"
    assert {read_headers(message.headers).traceparent for message in writer.written} == {expected}
    assert (span.kind, span.parent, span.attributes) == (SpanKind.SERVER, None, {"http.response.status_code": 202})
