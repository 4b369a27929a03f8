"""Where traces go: from the base URL of a collector to the URL that its spans are posted to."""

import re
from urllib.parse import urlsplit

__all__ = ["is_collector", "traces_url"]

_TRACES = "/v1/traces"
_OTHER_SIGNALS = ("/v1/metrics", "/v1/logs", "/v1development/profiles")
_VISIBLE = re.compile(r"[!-~]+")
"""Python's parser leaves line breaks out, and takes blanks, in silence."""


def is_collector(url: str) -> bool:
    """Whether a URL can be a collector's: HTTP, a host, no user, no query, not the place of another signal than traces.

    A password is never a variable's value.
    """
    try:
        parts = urlsplit(url)
        port_is_one = parts.port is None or parts.port > 0
    except ValueError:
        return False
    plain = _VISIBLE.fullmatch(url) is not None and not (parts.query or parts.fragment or "@" in parts.netloc)
    plain = plain and not parts.path.rstrip("/").endswith(_OTHER_SIGNALS)
    return parts.scheme in {"http", "https"} and bool(parts.hostname) and port_is_one and plain


def traces_url(endpoint: str) -> str:
    """The URL that spans are posted to: `/v1/traces` below the endpoint.

    So says OpenTelemetry's specification of the OTLP exporter for an endpoint of all signals. One that ends so already
    is kept: earlier releases took the whole URL.
    """
    base = endpoint.rstrip("/")
    return base if base.endswith(_TRACES) else base + _TRACES
