"""Services in networks of their own, joined to this machine by a bridge, and cut off from it address by address.

A cut is silent: packets go to a link-layer address without device, so no reset and no "unreachable"
comes back. Each service has one address for each peer, and each peer one for all services, so one link can be cut, in
one direction or in both, while others work.

Everything is named after a number that is leased by a lock on a file; what bears a number without a holder is what a
killed run left behind, and is removed by the next.
"""

import dataclasses
import subprocess
from collections.abc import Generator, Iterable, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Literal, get_args

from ringback_common.errors import ConfigError
from ringback_local.child import installed
from ringback_local.ports import lock_of
from ringback_local.specs import ProcessSpec

__all__ = ["Direction", "Network", "Peer", "open_network"]

Peer = Literal["broker", "graph", "database", "admin"]
"""`admin` is the harness itself, asking for readiness and metrics; it is never cut."""
Direction = Literal["out", "in", "both"]
"""As the service sees it: what it sends is lost, what it is sent is lost, or either."""

_PEERS: tuple[Peer, ...] = get_args(Peer)
_SERVICES = ("webhook", "keeper", "enricher", "store")
_NUMBERS = 200
_NOBODY = "02:00:00:00:00:01"
"""A locally administered link-layer address that no interface has."""
_PREFIX = "rbf"


class Network:
    """The networks of one world. Addresses are of 198.18.0.0/15, set aside for tests of networks (RFC 2544)."""

    def __init__(self, number: int) -> None:
        self._number = number
        self._cuts: set[tuple[str, Peer]] = set()

    def host(self, peer: Peer) -> str:
        """Where services reach a peer."""
        return self._address(peer, 1)

    def address(self, service: str, peer: Peer) -> str:
        """What a service is called by that peer."""
        return self._address(peer, 11 + _SERVICES.index(service))

    def adapted(self, spec: ProcessSpec) -> ProcessSpec:
        """The process inside its network, if it is a service; it listens on all of its addresses."""
        if spec.name not in _SERVICES:
            return spec
        command = ("ip", "netns", "exec", self._namespace(spec.name), *installed(spec.command))
        everywhere = {name: "0.0.0.0" for name in spec.env if name in _HOSTS}  # noqa: S104 - all there are are ours
        return dataclasses.replace(spec, command=command, env={**spec.env, **everywhere})

    def cut(self, service: str, peer: Peer, direction: Direction = "both") -> None:
        """From now on packets of this link are lost, silently, those of connections that stand included."""
        self._check(service, peer)
        self._cuts.add((service, peer))
        if direction in {"out", "both"}:
            _ip([f"neigh replace {self.host(peer)} lladdr {_NOBODY} dev eth0 nud permanent"], self._namespace(service))
        if direction in {"in", "both"}:
            lost = f"neigh replace {self.address(service, peer)} lladdr {_NOBODY} dev {self._bridge} nud permanent"
            _ip([lost])

    def heal(self) -> None:
        """Everything arrives again."""
        while self._cuts:
            service, peer = self._cuts.pop()
            _ip([f"neigh flush to {self.host(peer)} dev eth0 nud permanent"], self._namespace(service))
            _ip([f"neigh flush to {self.address(service, peer)} dev {self._bridge} nud permanent"])

    def build(self) -> None:
        """Make the bridge and the namespaces; raises ConfigError if we may not."""
        bridge = [f"link add {self._bridge} type bridge", f"link set {self._bridge} up"]
        _ip([*bridge, *(f"addr add {self.host(peer)}/26 dev {self._bridge}" for peer in _PEERS)])
        for service in _SERVICES:
            name = self._namespace(service)
            outside = _outside(self._number, service)
            joined = f"link add {outside} type veth peer name eth0 netns {name}"
            _ip([f"netns add {name}", joined, f"link set {outside} master {self._bridge} up"])
            addresses = [f"addr add {self.address(service, peer)}/26 dev eth0" for peer in _PEERS]
            _ip([*addresses, "link set lo up", "link set eth0 up"], name)

    @property
    def _bridge(self) -> str:
        return f"{_PREFIX}{self._number}"

    def _namespace(self, service: str) -> str:
        return f"{_PREFIX}{self._number}-{service}"

    def _address(self, peer: Peer, place: int) -> str:
        return f"198.18.{self._number}.{64 * _PEERS.index(peer) + place}"

    def _check(self, service: str, peer: str) -> None:
        if service not in _SERVICES or peer not in _PEERS[:-1]:
            raise ConfigError(f"there is no link from {service} to {peer} to cut")


_HOSTS = frozenset({"RINGBACK_ADMIN__HOST", "RINGBACK_WEBHOOK__HOST"})


@contextmanager
def open_network() -> Generator[Network]:
    """Yield networks for the services, gone after the block; those of dead runs are removed on the way.

    Raises:
        ConfigError: we may not make network namespaces.
    """
    _sweep()
    with _leased() as number:
        network = Network(number)
        try:
            network.build()
            yield network
        finally:
            _remove(number)


def _sweep() -> None:
    for number in _left_behind():
        lock = lock_of("networks", number)
        if lock is not None:
            with lock:
                _remove(number)


def _left_behind() -> set[int]:
    """The numbers of everything of ours on this machine, of all runs."""
    spaces = Path("/run/netns")
    names = [space.name.partition("-")[0] for space in spaces.glob(f"{_PREFIX}*-*")] if spaces.is_dir() else []
    names += [link.name for link in Path("/sys/class/net").glob(f"{_PREFIX}*")]
    digits = {name.removeprefix(_PREFIX) for name in names}
    return {int(digit) for digit in digits if digit.isdigit()}


@contextmanager
def _leased() -> Generator[int]:
    for number in range(_NUMBERS):
        lock = lock_of("networks", number)
        if lock is not None:
            with lock:
                yield number
            return
    raise ConfigError(f"{_NUMBERS} worlds with networks of their own are open already")


def _remove(number: int) -> None:
    """The pairs by themselves: a namespace ends, and takes its end of a pair along, some time after it is deleted."""
    for service in _SERVICES:
        _run(["link", "del", _outside(number, service)])
        _run(["netns", "del", f"{_PREFIX}{number}-{service}"])
    _run(["link", "del", f"{_PREFIX}{number}"])


def _outside(number: int, service: str) -> str:
    return f"{_PREFIX}{number}{service[0]}"


def _ip(commands: Iterable[str], namespace: str | None = None) -> None:
    inside = ["-n", namespace] if namespace else []
    answer = _run([*inside, "-batch", "-"], "\n".join(commands))
    if answer.returncode != 0:
        said = answer.stderr.strip().splitlines()
        raise ConfigError(
            "a world with networks of its own needs `ip` and the right to make network namespaces, as root has it "
            f"(ip said: {said[0] if said else 'nothing'})"
        )


def _run(arguments: Sequence[str], reported: str = "") -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(["ip", *arguments], input=reported, capture_output=True, text=True, check=False)  # noqa: S603, S607 - our own command
    except FileNotFoundError:
        return subprocess.CompletedProcess(["ip"], 127, "", "not found")
