"""Settings of the Graph client: variables `RINGBACK_GRAPH__...`."""

from pathlib import Path

from pydantic import Field
from ringback_common.settings import Section

__all__ = ["GraphSettings"]


class GraphSettings(Section):
    """How this process reaches Graph; which tenants there are stands in the tenants file."""

    proxy: str | None = Field(default=None, pattern=r"^https?://[^/@]+/?$")
    """An outgoing proxy without credentials."""
    cafile: Path | None = None
    """PEM file of the only certificate authorities to trust; without it the system's."""
    connections: int = Field(default=128, ge=1, le=1024)
    """Open connections to Graph; more requests than this wait."""
    timeout_seconds: float = Field(default=30.0, gt=0, le=300)
    """Longest silence of Graph within one request."""
