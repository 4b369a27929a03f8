"""Opens an installation of a kind."""

import dataclasses
from collections.abc import AsyncGenerator, Sequence
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager
from pathlib import Path

import yaml
from ringback_local.ports import lease_ports
from ringback_local.run_folder import write_private
from ringback_local.sites import SITES
from ringback_local.specs import ProcessSpec
from ringback_local.stack import Adapt, Stack, StackOptions

from ringback_faults.clocks import Clocks, open_clocks
from ringback_faults.disks import Disks, open_disks
from ringback_faults.links import Links, open_links
from ringback_faults.memory import Memory, open_memory
from ringback_faults.network import Network, open_network
from ringback_faults.pairs import PORTS as PAIRS_PORTS
from ringback_faults.pairs import doubled, service_of
from ringback_faults.points import Points, open_points
from ringback_faults.worlds.beside import open_beside
from ringback_faults.worlds.kind import WorldKind
from ringback_faults.worlds.sharing import shared_seed
from ringback_faults.worlds.tenants import give_budget, share_tenants
from ringback_faults.worlds.wiring import PORTS, Wiring, linked_dsn, linked_tenants
from ringback_faults.worlds.world import World

__all__ = ["open_world"]

_SERVICES = ("store", "enricher", "webhook", "keeper")
_OTHERS = 1_000_000
"""Added to the seed for the installation beside: no seed of a row is as large, so that no tenant is of both."""


@asynccontextmanager
async def open_world(kind: WorldKind, seed: int, overlay: Path | None = None) -> AsyncGenerator[World]:
    """Yield an installation that is up and ready, gone with everything it made after the block.

    Args:
        kind: what it shall have.
        seed: of the simulator and of the tenants' ids; where these are to share a partition, the search begins at it.
        overlay: a folder of packages that the services import instead of the installed ones.

    Raises:
        ConfigError: this machine cannot run that kind.
        StartFailed: something did not become ready.
    """
    with ExitStack() as opening:
        parts = _Parts(kind, opening, overlay)
        async with Stack(parts.options(seed), parts.adapt) as stack, AsyncExitStack() as further:
            beside: Stack | None = None
            if kind.beside:
                beside = await further.enter_async_context(
                    open_beside(stack, parts.options(seed + _OTHERS), _plain(overlay))
                )
            yield parts.world(stack, seed, beside)


class _Parts:
    """What a kind asks for beside the stack, opened in the order they need each other."""

    def __init__(self, kind: WorldKind, opening: ExitStack, overlay: Path | None) -> None:
        self._kind = kind
        self._opening = opening
        self._overlay = overlay
        enter = opening.enter_context
        self._network: Network | None = enter(open_network()) if kind.namespaces else None
        linked = kind.proxied or kind.namespaces
        self._wiring = Wiring(enter(lease_ports(PORTS)), self._network) if linked else None
        self._points: Points | None = enter(open_points()) if kind.points else None
        self._clocks: Clocks | None = enter(open_clocks()) if kind.clocks else None
        disks = {str(server): mib for server, mib in kind.disks.items()}
        caps = {str(process): mib for process, mib in kind.memory_mib.items()}
        self._disks: Disks | None = enter(open_disks(disks)) if disks else None
        self._memory: Memory | None = enter(open_memory(caps)) if caps else None
        self._pairs_ports = enter(lease_ports(PAIRS_PORTS)) if kind.pairs else None
        self._links: Links | None = None

    def options(self, seed: int) -> StackOptions:
        """What the stack is to be."""
        kind, disks = self._kind, self._disks
        migrate = {} if self._overlay is None else {"migrate": {"PYTHONPATH": str(self._overlay)}}
        return StackOptions(
            tenants=kind.tenants,
            brokers=kind.brokers,
            time_scale=kind.time_scale,
            seed=shared_seed(seed, kind.tenants) if kind.one_partition else seed,
            without=frozenset(kind.without),
            env={str(name): dict(settings) for name, settings in kind.env.items()} | migrate,
            broker_properties=dict(kind.broker_properties),
            store_settings=dict(kind.store_settings),
            own_servers=True,
            sites=SITES if kind.sites else (),
            listeners=self._wiring.listeners() if self._wiring else (),
            broker_folder=disks.folder("broker") if disks else None,
            store_folder=disks.folder("postgres") if disks else None,
        )

    async def adapt(self, stack: Stack, specs: Sequence[ProcessSpec]) -> Sequence[ProcessSpec]:
        """Open the links, now that there is something behind them, and change the processes as the kind asks."""
        files: dict[str, dict[str, str]] = {}
        if self._kind.tenant_budget is not None:
            give_budget(stack, self._kind.tenant_budget)
        if self._pairs_ports:
            share_tenants(stack, self._pairs_ports[0])
            specs = doubled(specs, self._pairs_ports)
        if self._wiring:
            routes = self._wiring.routes(stack.addresses, stack.dsn)
            self._links = self._opening.enter_context(open_links(routes))
            files = {service: _linked_files(stack, self._wiring, service) for service in _SERVICES}
        return [self._adapted(spec, files.get(spec.name, {})) for spec in specs]

    def world(self, stack: Stack, seed: int, beside: Stack | None = None) -> World:
        """All of it."""
        return World(
            kind=self._kind,
            stack=stack,
            seed=seed,
            links=self._links,
            network=self._network,
            points=self._points,
            clocks=self._clocks,
            disks=self._disks,
            memory=self._memory,
            beside=beside,
        )

    def _adapted(self, spec: ProcessSpec, files: dict[str, str]) -> ProcessSpec:
        """The innermost first: what it runs, then where it runs."""
        spec = _overlaid(spec, self._overlay)
        spec = self._wiring.adapted(spec, files) if self._wiring else spec
        spec = self._points.adapted(spec) if self._points else spec
        spec = self._clocks.adapted(spec) if self._clocks else spec
        spec = self._memory.adapted(spec) if self._memory else spec
        return self._network.adapted(spec) if self._network else spec


def _linked_files(stack: Stack, wiring: Wiring, service: str) -> dict[str, str]:
    """The files of settings that hold an address, written anew with that of the link; and keys of its own."""
    tenants = yaml.safe_load(stack.secrets.tenants.read_bytes())
    graph_url = wiring.graph_url(service, stack.addresses)
    tenants["tenants"] = linked_tenants(tenants["tenants"], graph_url, wiring.webhook_url)
    reported = yaml.safe_dump(tenants, sort_keys=False).encode()
    dsn = linked_dsn(stack.dsn, wiring.database).encode()
    keys, own_keys = stack.secrets.client_state_keys, stack.run_folder / f"client-state-keys-{service}.json"
    return {
        "RINGBACK_WEBHOOK__CLIENT_STATE_KEYS_FILE": str(write_private(own_keys, keys.read_bytes())),
        "RINGBACK_TENANTS_FILE": str(write_private(stack.run_folder / f"tenants-{service}.yaml", reported)),
        "RINGBACK_STORE__DSN_FILE": str(write_private(stack.run_folder / f"store-dsn-{service}", dsn)),
    }


def _plain(overlay: Path | None) -> Adapt:
    """The installation beside has nothing to be broken by, but runs the same packages."""

    async def adapt(_: Stack, specs: Sequence[ProcessSpec]) -> Sequence[ProcessSpec]:
        return [_overlaid(spec, overlay) for spec in specs]

    return adapt


def _overlaid(spec: ProcessSpec, overlay: Path | None) -> ProcessSpec:
    if overlay is None or service_of(spec.name) not in _SERVICES:
        return spec
    return dataclasses.replace(spec, env={**spec.env, "PYTHONPATH": str(overlay)})
