"""Traces: parents travel in headers, retries begin anew with a link."""

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from ringback_common import traces


@pytest.fixture
def exporter(monkeypatch: pytest.MonkeyPatch) -> InMemorySpanExporter:
    """Spans of this test, in memory."""
    collected = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(collected))
    monkeypatch.setattr(trace, "get_tracer", provider.get_tracer)
    return collected


def context_of(ended: ReadableSpan) -> trace.SpanContext:
    """The ids of a span; the SDK's type lets it have none."""
    assert ended.context is not None
    return ended.context


def test_a_hop_continues_the_trace_of_its_record(exporter: InMemorySpanExporter) -> None:
    """What one process injects, the next takes as parent."""
    with traces.span("receive", traces.SpanKind.SERVER):
        headers = traces.inject()
    with traces.span("process", traces.SpanKind.CONSUMER, parent=headers):
        pass
    first, second = exporter.get_finished_spans()
    assert context_of(second).trace_id == context_of(first).trace_id
    assert second.parent is not None
    assert second.parent.span_id == context_of(first).span_id


def test_a_retry_begins_a_new_trace_with_a_link(exporter: InMemorySpanExporter) -> None:
    """A replay next week does not reopen an old trace."""
    with traces.span("receive"):
        headers = traces.inject()
    with traces.span("retry", parent=headers, root=True):
        pass
    first, second = exporter.get_finished_spans()
    assert context_of(second).trace_id != context_of(first).trace_id
    assert second.links[0].context.span_id == context_of(first).span_id


def test_coalesced_records_become_links(exporter: InMemorySpanExporter) -> None:
    """A fetch that satisfies several notifications shows them all."""
    with traces.span("receive"):
        headers = traces.inject()
    with traces.span("process", parent=headers, links=[headers, headers]):
        pass
    assert len(exporter.get_finished_spans()[1].links) == 2


@pytest.mark.parametrize("hostile", [b"\xff\xfe", b"00-zz-1-01", b"0" * 10_000, b"", None])
def test_a_hostile_traceparent_is_ignored(hostile: bytes | None) -> None:
    """An unreadable header never stops a record."""
    assert traces.parent_of([("traceparent", hostile)]) is None


def test_outside_a_span_nothing_is_injected() -> None:
    """Without tracing the headers stay as they are."""
    assert traces.inject() == ()


def test_a_failure_is_told_by_its_class_alone(exporter: InMemorySpanExporter) -> None:
    """A span reports that it failed and how, never the message, which may quote a person."""
    with pytest.raises(ValueError, match="abbie"), traces.span("process"):
        raise ValueError("abbie.wilkins@contoso.com")
    (failed,) = exporter.get_finished_spans()
    assert (failed.status.status_code, failed.status.description) == (trace.StatusCode.ERROR, "ValueError")
    assert failed.events == ()


def test_a_process_that_does_not_trace_passes_on_what_others_began(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a provider nothing is recorded; the record's own trace goes on, a root begins none."""
    monkeypatch.setattr(trace, "get_tracer", trace.NoOpTracerProvider().get_tracer)
    headers = (("traceparent", b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"),)
    with traces.span("process a-topic", parent=headers):
        assert traces.inject() == headers
        with traces.span("inner"):
            assert traces.inject() == headers
    with traces.span("process a-topic", parent=headers, root=True):
        assert traces.inject() == ()
    with traces.span("process a-topic", parent=()):
        assert traces.inject() == ()
    assert traces.inject() == ()
