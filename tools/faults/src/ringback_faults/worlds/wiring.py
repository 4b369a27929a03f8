"""Which process reaches which through what, when every connection goes through a link of the harness. Pure.

| link | client | server |
|---|---|---|
| graph-webhook | the simulator posts | webhook |
| <service>-broker | webhook, keeper, enricher, store | Kafka, each by a listener of its own that advertises its link |
| enricher-graph | enricher, and every process that asks for tokens | the simulator |
| keeper-graph | keeper | the simulator |
| store-database | store | PostgreSQL |
| harness-<service> | readiness and metrics, where services have own networks | their admin port |
"""

import dataclasses
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from ringback_local.kafka.properties import Listener
from ringback_local.specs import Addresses, ProcessSpec

from ringback_faults.links import Route
from ringback_faults.network import Network, Peer

__all__ = ["PORTS", "Wiring", "linked_dsn", "linked_tenants"]

_LOOPBACK = "127.0.0.1"
_GRAPH = "127.0.0.2"
"""The simulator says its port in every next link, so its link listens on that port, at another address of loopback."""
_SERVICES = ("webhook", "keeper", "enricher", "store")
PORTS = 2 * len(_SERVICES) + 3
"""How many ports the links of a world need."""


@dataclass(frozen=True, slots=True)
class Wiring:
    """The addresses of one world's links.

    Attributes:
        ports: leased ones, `PORTS` of them.
        network: where services live, None if on this machine's own network.
    """

    ports: Sequence[int]
    network: Network | None = None

    def listeners(self) -> tuple[Listener, ...]:
        """Kafka's further doors."""
        return tuple(
            Listener(service.upper(), self._bound(service), (self._host("broker"), self._linked(service)))
            for service in _SERVICES
        )

    def routes(self, addresses: Addresses, dsn: str) -> list[Route]:
        """Every link."""
        return [*self._to_servers(addresses, dsn), *self._to_services(addresses)]

    def adapted(self, spec: ProcessSpec, files: Mapping[str, str]) -> ProcessSpec:
        """The process with the links' addresses; `files` are the settings that are files, written anew."""
        if spec.name == "simulator":
            return dataclasses.replace(spec, command=(*spec.command, "--public-host", self._graph))
        if spec.name not in _SERVICES:
            return spec
        broker = {"RINGBACK_KAFKA__BOOTSTRAP_SERVERS": f"{self._host('broker')}:{self._linked(spec.name)}"}
        changed = {name: file for name, file in files.items() if name in spec.env}
        return dataclasses.replace(spec, env={**spec.env, **broker, **changed})

    def graph_url(self, service: str, addresses: Addresses) -> str:
        """Graph's root as the enricher or the keeper is configured with it."""
        port = addresses.graph_port if service == "enricher" else self.ports[-3]
        return f"https://{self._graph}:{port}"

    @property
    def webhook_url(self) -> str:
        """Where the simulator posts."""
        return f"http://{_LOOPBACK}:{self.ports[-2]}/graph"

    @property
    def database(self) -> tuple[str, int]:
        """Where the store reaches PostgreSQL."""
        return self._host("database"), self.ports[-1]

    @property
    def _graph(self) -> str:
        return self.network.host("graph") if self.network else _GRAPH

    def _host(self, peer: Peer) -> str:
        return self.network.host(peer) if self.network else _LOOPBACK

    def _bound(self, service: str) -> int:
        return self.ports[2 * _SERVICES.index(service)]

    def _linked(self, service: str) -> int:
        return self.ports[2 * _SERVICES.index(service) + 1]

    def _to_servers(self, addresses: Addresses, dsn: str) -> Iterator[Route]:
        for service in _SERVICES:
            listen = (self._host("broker"), self._linked(service))
            yield Route(f"{service}-broker", listen, (_LOOPBACK, self._bound(service)), kafka=True)
        simulator, store = (_LOOPBACK, addresses.graph_port), urlsplit(dsn)
        yield Route("enricher-graph", (self._graph, addresses.graph_port), simulator)
        yield Route("keeper-graph", (self._graph, self.ports[-3]), simulator)
        yield Route("store-database", self.database, (store.hostname or _LOOPBACK, store.port or 5432))

    def _to_services(self, addresses: Addresses) -> Iterator[Route]:
        host = self.network.address("webhook", "graph") if self.network else _LOOPBACK
        yield Route("graph-webhook", (_LOOPBACK, self.ports[-2]), (host, addresses.webhook_port))
        if self.network:
            for service, port in addresses.admin_ports.items():
                yield Route(f"harness-{service}", (_LOOPBACK, port), (self.network.address(service, "admin"), port))


def linked_dsn(dsn: str, address: tuple[str, int]) -> str:
    """The connection string with another address."""
    parts = urlsplit(dsn)
    user = f"{parts.netloc.rpartition('@')[0]}@" if "@" in parts.netloc else ""
    return urlunsplit(parts._replace(netloc=f"{user}{address[0]}:{address[1]}"))


def linked_tenants(tenants: Iterable[Mapping[str, Any]], graph_url: str, webhook_url: str) -> list[dict[str, Any]]:
    """The entries of a tenants file, with other addresses of Graph and of the webhook."""
    changed = {
        "graph_url": graph_url,
        "authority_url": graph_url,
        "notification_url": f"{webhook_url}/notifications",
        "lifecycle_url": f"{webhook_url}/lifecycle",
    }
    return [{**tenant, **changed} for tenant in tenants]
