"""What a simulator is started with."""

from dataclasses import dataclass
from pathlib import Path

__all__ = ["Options"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """Everything a caller may choose; the command line has the same names.

    Attributes:
        workdir: where the CA, the server key and the ledger are written.
        host: address both servers listen on.
        public_host: host name in the URLs that the simulator hands out, next links included.
        port: Graph and authority port; 0 takes a free one.
        control_port: control API port; 0 takes a free one.
        seed: two simulators with one seed and the same commands serve the same people and records.
        time_scale: divides Graph's own waits (see `GraphClock`).
        tenants_file: tenants registered at start, in the shape of `POST /control/tenants`.
        http_hosts: hosts beside loopback whose notification URLs may be plain http, as within one Docker network.
        trust_ca: CA of https notification URLs, beside the system's.
    """

    workdir: Path
    host: str = "127.0.0.1"
    public_host: str = "localhost"
    port: int = 0
    control_port: int = 0
    seed: int = 1
    time_scale: float = 1.0
    tenants_file: Path | None = None
    http_hosts: tuple[str, ...] = ()
    trust_ca: Path | None = None
