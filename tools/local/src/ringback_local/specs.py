"""The processes of an installation as data: what to run, with which settings, after what. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

__all__ = ["Addresses", "ProcessSpec", "Secrets", "process_specs"]

_LOOPBACK = "127.0.0.1"


@dataclass(frozen=True)
class ProcessSpec:
    """One process.

    Attributes:
        name: what people call it; names its log file.
        command: program and arguments; a program of ours is looked up beside this Python.
        env: its settings; it sees no other RINGBACK_ variable.
        ready_url: answers 200 when the process may be counted on.
        admin_port: where its metrics are, None if it has none.
        after: names of the processes that must be ready before it first starts.
    """

    name: str
    command: tuple[str, ...]
    ready_url: str
    env: Mapping[str, str] = field(default_factory=dict[str, str])
    admin_port: int | None = None
    after: tuple[str, ...] = ()


@dataclass(frozen=True)
class Addresses:
    """Where everything of one installation listens, on the loopback address."""

    bootstrap_servers: str
    topic_prefix: str
    graph_port: int
    control_port: int
    webhook_port: int
    admin_ports: Mapping[str, int]

    @property
    def graph_url(self) -> str:
        """Graph's and the authority's root at the simulator; its certificate covers this name."""
        return f"https://localhost:{self.graph_port}"

    @property
    def control_url(self) -> str:
        """The simulator's control API."""
        return f"http://{_LOOPBACK}:{self.control_port}"

    @property
    def webhook_url(self) -> str:
        """Where the simulator posts."""
        return f"http://{_LOOPBACK}:{self.webhook_port}/graph"


@dataclass(frozen=True)
class Secrets:
    """The files of a run; see `run_folder`. A service gets the names of those it may read, and of no other."""

    tenants: Path
    simulator_tenants: Path
    simulator_folder: Path
    client_state_keys: Path
    pseudonym_keys: Path
    dsn: Path
    sites: Path | None = None
    """Where the installation has sites: their subnets. No secret, but a file of a run like the others."""

    @property
    def ca(self) -> Path:
        """The simulator's own authority, which it makes at its start."""
        return self.simulator_folder / "ca.pem"


def process_specs(addresses: Addresses, secrets: Secrets, time_scale: float, seed: int) -> list[ProcessSpec]:
    """The main job's processes, upstream last: stopping in reverse closes the intake first."""
    common = _common(addresses, time_scale)
    graph = {"RINGBACK_TENANTS_FILE": str(secrets.tenants), "RINGBACK_GRAPH__CAFILE": str(secrets.ca)}
    keys = {"RINGBACK_WEBHOOK__CLIENT_STATE_KEYS_FILE": str(secrets.client_state_keys)}
    webhook = {
        "RINGBACK_WEBHOOK__HOST": _LOOPBACK,
        "RINGBACK_WEBHOOK__PORT": str(addresses.webhook_port),
        "RINGBACK_WEBHOOK__DRAIN_SECONDS": "0",  # no load balancer has to notice a stop
    }
    pseudonyms = {"RINGBACK_PRIVACY__KEYS_FILE": str(secrets.pseudonym_keys)}
    sites = {"RINGBACK_SITES_FILE": str(secrets.sites)} if secrets.sites else {}
    store = {"RINGBACK_STORE__DSN_FILE": str(secrets.dsn)}
    return [
        _simulator(addresses, secrets, time_scale, seed),
        _service(addresses, "store", ("ringback-sink", "store"), common | store),
        _service(
            addresses, "enricher", ("ringback-enricher", "fetch"), common | graph | pseudonyms | sites, "simulator"
        ),
        _service(addresses, "webhook", ("ringback-ingest", "webhook"), common | keys | webhook),
        _service(addresses, "keeper", ("ringback-ingest", "keeper"), common | keys | graph, "simulator", "webhook"),
    ]


def _common(addresses: Addresses, time_scale: float) -> dict[str, str]:
    return {
        "RINGBACK_PROFILE": "dev",
        "RINGBACK_INSTALLATION_ID": "local",
        "RINGBACK_TIME_SCALE": str(time_scale),
        "RINGBACK_KAFKA__BOOTSTRAP_SERVERS": addresses.bootstrap_servers,
        "RINGBACK_KAFKA__TOPIC_PREFIX": addresses.topic_prefix,
        "RINGBACK_ADMIN__HOST": _LOOPBACK,
    }


def _service(
    addresses: Addresses, name: str, command: tuple[str, ...], env: Mapping[str, str], *after: str
) -> ProcessSpec:
    port = addresses.admin_ports[name]
    ready_url = f"http://{_LOOPBACK}:{port}/readyz"
    return ProcessSpec(name, command, ready_url, {**env, "RINGBACK_ADMIN__PORT": str(port)}, port, after)


def _simulator(addresses: Addresses, secrets: Secrets, time_scale: float, seed: int) -> ProcessSpec:
    places = ("--workdir", str(secrets.simulator_folder), "--tenants", str(secrets.simulator_tenants))
    ports = ("--port", str(addresses.graph_port), "--control-port", str(addresses.control_port))
    character = ("--seed", str(seed), "--time-scale", str(time_scale))
    command = ("ringback-graph-simulator", "serve", *places, *ports, *character)
    return ProcessSpec("simulator", command, f"{addresses.control_url}/control/health")
