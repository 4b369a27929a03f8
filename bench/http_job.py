"""What the HTTP load is given as its order, and what it reports at its end."""

from dataclasses import dataclass

__all__ = ["CALL_ID", "Job", "Outcome"]

CALL_ID = b"00000000-0000-4000-8000-000000000000"
"""Where every POST gets an id of its own."""


@dataclass(frozen=True, slots=True)
class Job:
    """What to send: `requests` are whole HTTP requests, taken in turn, each with `CALL_ID` once in its body."""

    port: int
    connections: int
    seconds: float
    rate: float
    requests: list[str]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of it; latencies in milliseconds, times in epoch seconds."""

    began: float
    ended: float
    accepted: int
    others: int
    p50: float
    p99: float
