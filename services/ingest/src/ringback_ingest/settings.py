"""Settings of the webhook that both processes of ingest read."""

from pathlib import Path

from pydantic import Field
from ringback_common.settings import Section

__all__ = ["WebhookSection"]


class WebhookSection(Section):
    """Where Graph's POSTs arrive, and the keys that prove them; the keeper reads the keys only."""

    host: str = "0.0.0.0"  # noqa: S104 - the ingress reaches it from another address
    """Address to listen on."""
    port: int = Field(default=8080, ge=0, le=65535)
    """Where Graph's POSTs arrive, plain HTTP behind a TLS-terminating ingress; 0 takes a free one."""
    client_state_keys_file: Path
    """JSON: the keys that prove a notification; read again when it changes."""
    drain_seconds: float = Field(default=10, ge=0, le=40)
    """From SIGTERM to the close of the listener: until load balancers have noticed, requests are served, each as the
    last of its connection. Up to 14 s more end what is under way: a container's grace period has to hold both."""
    unproven_per_peer: int = Field(default=2048, ge=64, le=4096)
    """Connections of one address that have sent nothing genuine yet; one more closes the oldest of them. Behind an
    ingress all senders share its address: not below what it opens at once."""
