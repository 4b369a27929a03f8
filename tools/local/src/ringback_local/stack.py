"""The whole of Ringback on one machine: servers, simulator and services, for the demo, the tests and the bench."""

import asyncio
import dataclasses
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self
from urllib.parse import urlsplit, urlunsplit

import asyncpg
from ringback_common.errors import ConfigError
from ringback_common.process import EXIT_CONFIGURATION

from ringback_local.child import Child, clean_environment, installed
from ringback_local.commands import write_commands
from ringback_local.kafka import Broker, open_broker
from ringback_local.kafka.properties import Listener
from ringback_local.ports import lease_ports
from ringback_local.postgres import Postgres, open_postgres
from ringback_local.postgres.wheel import psql
from ringback_local.reach import Reach
from ringback_local.run_folder import make_run_folder, tenants_of, write_secrets
from ringback_local.server_health import server_health
from ringback_local.servers import StartFailed
from ringback_local.simulator import RunningSimulator, read_announcement
from ringback_local.sites import Site, write_sites
from ringback_local.specs import Addresses, ProcessSpec, Secrets, process_specs
from ringback_local.supervised import Event, ProcessHealth, Supervised
from ringback_local.supervisor import Supervisor
from ringback_local.topics import create_contract_topics

__all__ = ["Adapt", "Stack", "StackOptions"]

_SERVICES = ("store", "enricher", "webhook", "keeper")


@dataclass(frozen=True)
class StackOptions:
    """What kind of installation to run.

    Attributes:
        tenants: how many tenants the simulator has.
        brokers: how many Kafka nodes; with three, topics are replicated to all and two must have a record.
        time_scale: how much faster Graph's slowness passes.
        seed: of the simulator and of the tenants' ids.
        without: names of processes to leave out.
        extra: further processes, started after the usual ones.
        env: settings on top, by name of the process; `migrate` is one, too.
        ready_seconds: how long all processes together may take to become ready.
        broker_properties: Kafka's, over the usual ones.
        store_settings: PostgreSQL's, over the usual ones.
        own_servers: never take a Kafka or a PostgreSQL that is named in the environment, for runs that break them.
        listeners: further doors of Kafka's first node.
        lasting_broker: whether Kafka's Java optimises what is hot, as in production; for measurements.
        broker_folder: where Kafka keeps its data; else below `.local/`.
        store_folder: where PostgreSQL keeps its data; else where its user can enter.
        sites: names of sites with their subnets, for the enricher; none: no call has a site.
        dsn_password: stands in the connection string; a PostgreSQL of ours trusts everybody and never asks for it.
    """

    tenants: int = 3
    brokers: int = 1
    time_scale: float = 60.0
    seed: int = 1
    without: frozenset[str] = frozenset()
    extra: tuple[ProcessSpec, ...] = ()
    env: Mapping[str, Mapping[str, str]] = field(default_factory=dict[str, Mapping[str, str]])
    ready_seconds: float = 90.0
    broker_properties: Mapping[str, str] = field(default_factory=dict[str, str])
    store_settings: Mapping[str, str] = field(default_factory=dict[str, str])
    own_servers: bool = False
    listeners: tuple[Listener, ...] = ()
    lasting_broker: bool = False
    broker_folder: Path | None = None
    store_folder: Path | None = None
    sites: tuple[Site, ...] = ()
    dsn_password: str = ""


Adapt = Callable[["Stack", Sequence[ProcessSpec]], Awaitable[Sequence[ProcessSpec]]]
"""Asked once Kafka and PostgreSQL run, before a process starts: it returns the processes to start instead."""


class Stack:
    """An installation that is up and ready while its `async with` block lasts.

    Entering blocks the event loop while Kafka and PostgreSQL start: their processes are tied to the thread that starts
    them, so it has to be the one that lasts.
    """

    broker: Broker
    postgres: Postgres
    dsn: str
    run_folder: Path
    tenants: list[str]
    addresses: Addresses
    secrets: Secrets

    def __init__(self, options: StackOptions | None = None, adapt: Adapt | None = None) -> None:
        self.options = options or StackOptions()
        self._adapt = adapt
        self._open = AsyncExitStack()
        self._supervisor: Supervisor | None = None

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as opening:
            await self._start(opening)
            self._open = opening.pop_all()
        return self

    async def __aexit__(self, *failure: object) -> None:
        await self._open.aclose()

    @property
    def bootstrap_servers(self) -> str:
        """Kafka's address."""
        return self.broker.bootstrap_servers

    @property
    def simulator(self) -> RunningSimulator:
        """Where the simulator answers; raises KeyError if it was left out."""
        running = read_announcement(self.processes["simulator"].log_file)
        if running is None:
            raise StartFailed("the simulator has not announced itself yet")
        return running

    @property
    def supervisor(self) -> Supervisor:
        """Raises RuntimeError outside the block."""
        if self._supervisor is None:
            raise RuntimeError("the stack is not running")
        return self._supervisor

    @property
    def processes(self) -> Mapping[str, Supervised]:
        """By name."""
        return self.supervisor.processes

    @property
    def events(self) -> list[Event]:
        """Starts and deaths of processes, oldest first."""
        return self.supervisor.events

    def health(self) -> list[ProcessHealth]:
        """What is known of each process now."""
        return self.supervisor.health()

    def servers(self) -> list[ProcessHealth]:
        """What is known of Kafka and PostgreSQL now."""
        return [server_health("kafka", self.broker), server_health("postgresql", self.postgres)]

    @property
    def reach(self) -> Reach:
        """How people reach it."""
        return Reach(self.addresses, self.run_folder, self.tenants)

    def kill(self, name: str) -> None:
        """SIGKILL to a process; it is started again."""
        self.supervisor.kill(name)

    def terminate(self, name: str) -> None:
        """SIGTERM to a process; it is started again once it has ended, see `events` for its exit code."""
        self.supervisor.terminate(name)

    def pause(self, name: str) -> None:
        """SIGSTOP to a process."""
        self.supervisor.pause(name)

    def resume(self, name: str) -> None:
        """SIGCONT to a process."""
        self.supervisor.resume(name)

    async def ready(self, name: str, timeout: float = 30.0) -> None:  # noqa: ASYNC109 - it raises an error of its own
        """Wait until a process is ready; raises ConfigError or StartFailed."""
        await self.supervisor.ready(name, timeout)

    async def _start(self, opening: AsyncExitStack) -> None:
        self.run_folder = make_run_folder()
        self._open_servers(opening)
        self.dsn = self._with_password(
            await _make_database(self.postgres, self._own_name("ringback", owned=self.postgres.owned))
        )
        self.addresses = self._addresses(opening.enter_context(lease_ports(3 + len(_SERVICES))))
        simulated = tenants_of(self.options.seed, self.options.tenants)
        self.tenants = [tenant.tenant_id for tenant in simulated]
        self.secrets = write_secrets(self.run_folder, simulated, self.addresses, self.dsn)
        if self.options.sites:
            sites = write_sites(self.run_folder, self.options.sites)
            self.secrets = dataclasses.replace(self.secrets, sites=sites)
        write_commands(self.run_folder, self.addresses, Path(installed(["ringback"])[0]), psql())
        await create_contract_topics(self.bootstrap_servers, self.addresses.topic_prefix, self._replication())
        await self._migrate()
        specs: Sequence[ProcessSpec] = self._specs()
        if self._adapt is not None:
            specs = await self._adapt(self, specs)
        self._supervisor = await opening.enter_async_context(Supervisor(specs, self.run_folder))
        await self._supervisor.all_ready(self.options.ready_seconds)

    def _open_servers(self, opening: AsyncExitStack) -> None:
        given, own = self.options, self.options.own_servers
        self.broker = opening.enter_context(
            open_broker(
                given.brokers,
                given.broker_properties,
                own=own,
                lasting=given.lasting_broker,
                listeners=given.listeners,
                folder=given.broker_folder,
            )
        )
        self.postgres = opening.enter_context(open_postgres(given.store_settings, own=own, folder=given.store_folder))

    def _own_name(self, name: str, *, owned: bool) -> str:
        """A name of this run alone on a server that is not ours alone."""
        return name if owned else f"{name}_{self.run_folder.name.replace('-', '_').lower()}"

    def _with_password(self, dsn: str) -> str:
        if not self.options.dsn_password or not self.postgres.owned:
            return dsn
        parts = urlsplit(dsn)
        host = parts.netloc.rpartition("@")[2]
        return urlunsplit(parts._replace(netloc=f"{parts.username}:{self.options.dsn_password}@{host}"))

    def _addresses(self, ports: list[int]) -> Addresses:
        prefix = "" if self.broker.owned else f"{self.run_folder.name}."
        graph, control, webhook, *admin = ports
        admin_ports: dict[str, int] = dict(zip(_SERVICES, admin, strict=True))
        return Addresses(self.bootstrap_servers, prefix, graph, control, webhook, admin_ports)

    def _replication(self) -> int:
        return min(3, self.options.brokers) if self.broker.owned else 1

    def _specs(self) -> list[ProcessSpec]:
        usual = process_specs(self.addresses, self.secrets, self.options.time_scale, self.options.seed)
        wanted = [spec for spec in (*usual, *self.options.extra) if spec.name not in self.options.without]
        names = {spec.name for spec in wanted}
        return [self._adapted(spec, names) for spec in wanted]

    def _adapted(self, spec: ProcessSpec, names: set[str]) -> ProcessSpec:
        env = {**spec.env, **self.options.env.get(spec.name, {})}
        return dataclasses.replace(spec, env=env, after=tuple(name for name in spec.after if name in names))

    async def _migrate(self) -> None:
        settings = {"RINGBACK_PROFILE": "dev", "RINGBACK_STORE__DSN_FILE": str(self.secrets.dsn)}
        settings |= self.options.env.get("migrate", {})
        command = installed(["ringback-sink", "migrate"])
        child = Child("migrate", command, clean_environment(settings), self.run_folder / "migrate.log")
        child.spawn()
        code = await asyncio.to_thread(child.wait, 60)
        if code == EXIT_CONFIGURATION:
            raise ConfigError(f"migrate: {child.last_lines(1)}")
        if code != 0:
            raise StartFailed(f"ringback-sink migrate ended with {code}:\n{child.last_lines()}")


async def _make_database(postgres: Postgres, name: str) -> str:
    connection = await asyncpg.connect(postgres.dsn)
    try:
        await connection.execute(f'CREATE DATABASE "{name}"')
    finally:
        await connection.close()
    return urlunsplit(urlsplit(postgres.dsn)._replace(path=f"/{name}"))
