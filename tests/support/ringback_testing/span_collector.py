"""An OTLP collector of the test's own: what the processes export over HTTP, as it came and as spans."""

import gzip
import threading
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from ringback_testing.transcript import TRANSCRIPT


@dataclass(frozen=True)
class CollectedSpan:
    """One exported span; ids in hex, the parent's empty for a root."""

    service: str
    name: str
    trace_id: str
    span_id: str
    parent_id: str
    links: tuple[str, ...]
    """Ids of the traces it links to."""


@dataclass
class SpanCollector:
    """Holds every export since it was opened."""

    endpoint: str
    exports: list[bytes] = field(default_factory=list[bytes])
    """The requests' bodies, uncompressed."""

    def spans(self) -> list[CollectedSpan]:
        """Everything exported so far."""
        return [span for body in list(self.exports) for span in _spans(body)]


@contextmanager
def open_span_collector() -> Generator[SpanCollector]:
    """Yield a collector on the loopback address; it listens in a thread, so also while no event loop runs."""
    collector = SpanCollector("")
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Handler, collector))
    collector.endpoint = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, name="span collector", daemon=True)
    thread.start()
    try:
        yield collector
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
        TRANSCRIPT.said("spans", b"\n".join(collector.exports))


class _Handler(BaseHTTPRequestHandler):
    def __init__(self, collector: SpanCollector, *request: Any) -> None:
        self._collector = collector  # before the base, whose constructor answers the request
        super().__init__(*request)

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        if self.headers.get("content-encoding") == "gzip":
            body = gzip.decompress(body)
        is_for_traces = self.path == "/v1/traces"  # as a real collector, which answers 404 elsewhere
        if is_for_traces:
            self._collector.exports.append(body)
        self.send_response(200 if is_for_traces else 404)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name http.server calls it by
        """Say nothing."""


def _spans(body: bytes) -> Iterator[CollectedSpan]:
    for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
        named = {one.key: one.value.string_value for one in resource.resource.attributes}
        for scope in resource.scope_spans:
            for span in scope.spans:
                yield CollectedSpan(
                    service=named["service.name"],
                    name=span.name,
                    trace_id=span.trace_id.hex(),
                    span_id=span.span_id.hex(),
                    parent_id=span.parent_span_id.hex(),
                    links=tuple(link.trace_id.hex() for link in span.links),
                )
