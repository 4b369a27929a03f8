"""Traces reach a collector at its usual endpoint, and what is none is refused before the process starts."""

import threading
from collections.abc import Generator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from opentelemetry import trace
from ringback_common import traces
from ringback_common.errors import ConfigError
from ringback_common.otlp import traces_url
from ringback_common.settings import ProcessSettings, load


class _Collector(HTTPServer):
    """A server that keeps path and status of each answer."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Receiver)
        self.answered: list[tuple[str, int]] = []


class _Receiver(BaseHTTPRequestHandler):
    """A collector that knows the path of the specification and no other."""

    server: _Collector  # pyright: ignore[reportIncompatibleVariableOverride] - no other server makes one

    def do_POST(self) -> None:
        """Take spans at /v1/traces, answer 404 elsewhere."""
        self.rfile.read(int(self.headers["Content-Length"]))
        known = self.path == "/v1/traces"
        self.server.answered.append((self.path, 200 if known else 404))
        self.send_response(200 if known else 404)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base names it so
        """Write nothing."""


@contextmanager
def receiver() -> Generator[tuple[str, list[tuple[str, int]]]]:
    """A running receiver: its base URL, and what it answered to which path."""
    server = _Collector()
    running = threading.Thread(target=server.serve_forever, daemon=True)
    running.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", server.answered
    finally:
        server.shutdown()
        running.join()
        server.server_close()


def _not_set(_provider: trace.TracerProvider) -> None:
    """In place of the process' provider, which can be set once only."""


@pytest.mark.parametrize("form", ["{}", "{}/", "{}/v1/traces"])
def test_spans_arrive_where_a_collector_takes_them(monkeypatch: pytest.MonkeyPatch, form: str) -> None:
    """Of the endpoint alone, of one with a slash, and of the whole URL that earlier releases wanted."""
    monkeypatch.setattr(trace, "set_tracer_provider", _not_set)
    with receiver() as (base, answered):
        provider = traces.configure("test", endpoint=form.format(base), ratio=1.0)
        assert provider is not None
        with provider.get_tracer("test").start_as_current_span("work"):
            pass
        assert provider.force_flush()
        provider.shutdown()
    assert answered == [("/v1/traces", 200)]


def test_a_path_of_the_endpoint_is_kept() -> None:
    """The specification's own example: a collector behind a path."""
    assert traces_url("http://collector:4318/mycollector/") == "http://collector:4318/mycollector/v1/traces"


class _Process(ProcessSettings):
    """A process."""


def _load(monkeypatch: pytest.MonkeyPatch, endpoint: str) -> ProcessSettings:
    monkeypatch.setenv("RINGBACK_KAFKA__BOOTSTRAP_SERVERS", "k:9092")
    monkeypatch.setenv("RINGBACK_KAFKA__SECURITY_PROTOCOL", "SSL")
    monkeypatch.setenv("RINGBACK_INSTALLATION_ID", "test")
    monkeypatch.setenv("RINGBACK_TELEMETRY__OTLP_ENDPOINT", endpoint)
    return load(_Process)


@pytest.mark.parametrize(
    "endpoint",
    ["nonsense", "collector:4318", "ftp://h", "http://", "http://:4318", "http://h:port", "http://u:hush@h", "http://h?x=1",
     "http://h ost", "http://h\nost:4318", "http://h:4318\n", " http://h", "http://h/v1/metrics", "http://h/v1/logs/"],
)  # fmt: skip
def test_what_is_no_collector_is_refused_at_start(monkeypatch: pytest.MonkeyPatch, endpoint: str) -> None:
    """One sentence that names the variable and what it takes, and quotes nothing."""
    with pytest.raises(ConfigError) as refused:
        _load(monkeypatch, endpoint)
    sentence = str(refused.value)
    assert sentence.startswith("RINGBACK_TELEMETRY__OTLP_ENDPOINT is not usable")
    assert "http://collector:4318" in sentence
    assert "hush" not in sentence
    assert sentence.count(". ") == 0


@pytest.mark.parametrize("endpoint", ["http://collector:4318", "https://otel.example/base/", "http://[::1]:4318"])
def test_a_collector_is_taken(monkeypatch: pytest.MonkeyPatch, endpoint: str) -> None:
    """Names, paths and IPv6 addresses."""
    assert _load(monkeypatch, endpoint).telemetry.otlp_endpoint == endpoint
