"""The Retry-Afters of all processes of a kind: one that Graph gave to any of them holds the tenant in all of them."""

from typing import Protocol

__all__ = ["NullRegistry", "ThrottleRegistry"]


class ThrottleRegistry(Protocol):
    """Shares each Retry-After, so that it outlives the process that received it (ADR 0028)."""

    def publish(self, tenant_id: str, seconds: float) -> None:
        """Share a Retry-After that this process received."""
        ...

    def remaining(self, tenant_id: str) -> float:
        """Seconds left of a Retry-After that another process received; 0 if there is none."""
        ...


class NullRegistry:
    """For a process that shares no tenant with another: nothing is published, nothing remains."""

    def publish(self, tenant_id: str, seconds: float) -> None:
        """Do nothing."""

    def remaining(self, tenant_id: str) -> float:  # noqa: ARG002 - the port's signature
        """Return 0."""
        return 0.0
