"""Traces: the record's context is parent at every hop; batches and coalesced notifications are links.

Retry, replay and bulk begin a new root with a link, so that a replay next week does not reopen an old trace.
"""

from collections.abc import Generator, Sequence
from contextlib import contextmanager

from opentelemetry import trace
from opentelemetry.context import Context, attach, detach
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Tracer, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter
from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased
from opentelemetry.trace import Link, Span, SpanKind, Status, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from ringback_events.header_names import TRACEPARENT

from ringback_common.otlp import traces_url
from ringback_common.outcomes import MessageHeaders

__all__ = ["SpanKind", "configure", "inject", "parent_of", "span", "traceparent"]

_PROPAGATOR = TraceContextTextMapPropagator()
_SCOPE = "ringback"
_LONGEST_TRACEPARENT = 64
_MAX_LINKS = 32
"""More links than a person reads make a span costly and no clearer."""

AnyHeaders = Sequence[tuple[str, bytes | None]]


def configure(
    process: str, *, endpoint: str | None = None, ratio: float = 0.01, exporter: SpanExporter | None = None
) -> TracerProvider | None:
    """Turn tracing on for this process.

    Args:
        process: name of the service in the traces.
        endpoint: base URL of an OTLP/HTTP collector; without one and without an exporter no span is recorded.
        ratio: share of new traces kept; a kept trace is kept at every hop.
        exporter: where tests collect spans.

    Returns:
        The provider, to flush it at the end; None while tracing is off.
    """
    sends_to = exporter or (OTLPSpanExporter(endpoint=traces_url(endpoint)) if endpoint else None)
    if sends_to is None:
        return None
    provider = TracerProvider(
        sampler=ParentBased(TraceIdRatioBased(ratio)), resource=Resource.create({"service.name": f"ringback-{process}"})
    )
    provider.add_span_processor(BatchSpanProcessor(sends_to))
    trace.set_tracer_provider(provider)
    return provider


def parent_of(headers: AnyHeaders) -> Context | None:
    """The trace context in a record's headers; None without one, or if it is longer than 64 bytes or malformed."""
    for name, value in headers:
        if name == TRACEPARENT and value is not None and len(value) <= _LONGEST_TRACEPARENT:
            context = _PROPAGATOR.extract({TRACEPARENT: value.decode("ascii", "replace")})
            return context if trace.get_current_span(context).get_span_context().is_valid else None
    return None


@contextmanager
def span(
    name: str,
    kind: SpanKind = SpanKind.INTERNAL,
    *,
    parent: AnyHeaders | None = None,
    links: Sequence[AnyHeaders] = (),
    root: bool = False,
) -> Generator[Span]:
    """Run a block as a span. Of an exception it records the class alone, for its message may quote data.

    Args:
        name: operation and topic, e.g. `process callrecords.internal.fetch.v1`; never an id.
        kind: CONSUMER, PRODUCER, SERVER, CLIENT or INTERNAL.
        parent: headers of the record that caused it; without them the current span is the parent.
        links: headers of further records it works for.
        root: begin a new trace and link to `parent` instead.
    """
    tracer = trace.get_tracer(_SCOPE)
    if not isinstance(tracer, Tracer):
        with _passed_on(Context() if root else parent_of(parent or ())) as current:
            yield current
        return
    above = parent_of(parent) if parent is not None else None
    linked = [context for context in (parent_of(headers) for headers in links[:_MAX_LINKS]) if context is not None]
    if root:
        linked = ([above] if above is not None else []) + linked
        above = Context()
    made = [Link(trace.get_current_span(context).get_span_context()) for context in linked]
    with tracer.start_as_current_span(
        name, context=above, kind=kind, links=made, record_exception=False, set_status_on_exception=False
    ) as current:
        try:
            yield current
        except Exception as failure:  # any: the span is marked failed, and the exception rises as it is
            current.set_status(Status(StatusCode.ERROR, type(failure).__name__))
            raise


@contextmanager
def _passed_on(above: Context | None) -> Generator[Span]:
    """Without tracing: record nothing, but pass the trace context of the record on to what is written for it."""
    if above is None:
        yield trace.INVALID_SPAN
        return
    token = attach(above)
    try:
        yield trace.get_current_span()
    finally:
        detach(token)


def inject() -> MessageHeaders:
    """The current span as Kafka headers; empty outside a span."""
    return traceparent(trace.get_current_span())


def traceparent(span: Span) -> MessageHeaders:
    """A span as the header of a record that it writes; empty if it is of no trace."""
    context = span.get_span_context()
    if not context.is_valid:
        return ()
    return ((TRACEPARENT, f"00-{context.trace_id:032x}-{context.span_id:016x}-{context.trace_flags:02x}".encode()),)
