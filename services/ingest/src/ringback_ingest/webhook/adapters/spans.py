"""The server span of a POST, kept open over callbacks until the answer, which a context manager cannot do."""

from opentelemetry import trace
from opentelemetry.trace import Span, SpanKind
from ringback_common.outcomes import Headers

__all__ = ["as_headers", "begin"]


_TRACER = trace.get_tracer("ringback")


def begin() -> Span:
    """Start a root span; the sender's own context is not believed."""
    return _TRACER.start_span("POST /graph", kind=SpanKind.SERVER)


def as_headers(span: Span) -> Headers:
    """The span as a record's `traceparent`; empty without tracing."""
    context = span.get_span_context()
    if not context.is_valid:
        return ()
    return (("traceparent", f"00-{context.trace_id:032x}-{context.span_id:016x}-{context.trace_flags:02x}".encode()),)
