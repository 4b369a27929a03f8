"""How to reach what was started, as lines for a terminal. Pure."""

import shlex
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from ringback_events import topics

from ringback_local.specs import Addresses

__all__ = ["STALL", "Reach", "ways"]

STALL = (
    "A stall of 15 s is no fault: when a process was killed, Kafka gives what it was reading to another one, or to the "
    "same one started again, only after its session has ended; a process that stops in order hands over at once."
)
"""How the session time-out of the services' consumers shows, `_SESSION_MS` in `ringback_stream.consume.consumer`."""

_POOR = "SELECT call_id, start_date_time, sites FROM callrecords.call WHERE quality_verdict = 'poor' LIMIT 5"


@dataclass(frozen=True)
class Reach:
    """What is up: its addresses, its folder with the commands in it, the ids of its tenants."""

    addresses: Addresses
    folder: Path
    tenants: Sequence[str]


def ways(reach: Reach) -> list[str]:
    """One line for each way in, and what to know about waiting; no line holds a password.

    A command can be copied into a shell as it stands: it needs nothing that is not in the folder of the run.
    """
    addresses = reach.addresses
    ringback, psql, topic = (shlex.quote(str(reach.folder / name)) for name in ("ringback", "psql", "topic"))
    metrics = (f"{name} http://127.0.0.1:{port}/metrics" for name, port in addresses.admin_ports.items())
    return [
        *_aligned("ringback", (f"{ringback} {what}" for what in ("status", "lookup CALL_ID", "dlq ls"))),
        f'PostgreSQL  {psql} -c "{_POOR}"',
        *_aligned("Kafka", (f"{topic} {topics.CALLS.name}", addresses.bootstrap_servers)),
        f"webhook     {addresses.webhook_url}/notifications",
        *_aligned("metrics", metrics),
        *_aligned("tenants", reach.tenants),
        f"Graph       {addresses.graph_url}, the simulator; its control API: {addresses.control_url}",
        f"logs        {shlex.quote(str(reach.folder))}",
        STALL,
    ]


def _aligned(name: str, values: Iterable[str]) -> list[str]:
    """One line for each value, the name before the first."""
    return [f"{name if number == 0 else '':<12}{value}" for number, value in enumerate(values)]
