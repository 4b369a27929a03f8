"""What Graph told other processes: a Retry-After holds for the tenant, whoever asks next."""

from typing import Protocol

__all__ = ["Alone", "Waits"]


class Waits(Protocol):
    """Carries every Retry-After to the process that takes the tenant over."""

    def told(self, tenant_id: str, seconds: float) -> None:
        """Graph told this process to wait that long."""
        ...

    def heard(self, tenant_id: str) -> float:
        """Seconds still to wait because of what another process was told, once for each time; else 0."""
        ...


class Alone:
    """Nobody takes over from anybody."""

    def told(self, tenant_id: str, seconds: float) -> None:
        """Nobody listens."""

    def heard(self, tenant_id: str) -> float:  # noqa: ARG002 - the port's signature
        """Nobody speaks."""
        return 0.0
