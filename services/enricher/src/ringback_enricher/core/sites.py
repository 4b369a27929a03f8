"""Where an address is: its site by the subnet map, and the prefix everybody may see."""

from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

__all__ = ["UNPLACED", "Place", "SiteMap"]

_Address = IPv4Address | IPv6Address
_Network = IPv4Network | IPv6Network

_PRIVATE: tuple[_Network, ...] = tuple(
    ip_network(prefix)
    for prefix in (
        # RFC 1918, 6598 (shared), 3927 and 1122: ranges that mean nothing outside their own network
        *(
            "10.0.0.0/8",
            "172.16.0.0/12",
            "192.168.0.0/16",
            "100.64.0.0/10",
            "169.254.0.0/16",
            "127.0.0.0/8",
            "0.0.0.0/8",
        ),
        # RFC 4193, 4291: unique local, link local, loopback, unspecified
        *("fc00::/7", "fe80::/10", "::1/128", "::/128"),
    )
)
_OPEN_PREFIX = {4: 24, 6: 48}
_NETWORKS: dict[int, type[IPv4Network] | type[IPv6Network]] = {4: IPv4Network, 6: IPv6Network}
_REMEMBERED = 50_000
"""Addresses remembered: some 10 MB, more than the active clients of the largest tenant in an hour."""


@dataclass(frozen=True, slots=True)
class Place:
    """What an address tells.

    Attributes:
        prefix: /24 or /48; None for a private range or something that is no address.
        site: the site of the longest matching prefix of the map.
    """

    prefix: str | None
    site: str | None


UNPLACED = Place(None, None)


class SiteMap:
    """Knows the sites of an installation. Never changes; what it looked up is remembered."""

    def __init__(self, subnets: Iterable[tuple[str, str]] = ()) -> None:
        """Take (CIDR, site) pairs.

        Raises:
            ValueError: a CIDR cannot be read.
        """
        self._lengths: dict[int, list[int]] = {4: [], 6: []}
        self._sites: dict[_Network, str] = {}
        for cidr, site in subnets:
            network = ip_network(cidr, strict=False)
            self._sites[network] = site
            lengths = self._lengths[network.version]
            if network.prefixlen not in lengths:
                lengths.append(network.prefixlen)
                lengths.sort(reverse=True)
        self._known: dict[str, Place] = {}

    def place(self, address: str | None) -> Place:
        """Place an address as Graph writes it; whatever is no address is unplaced."""
        if not address:
            return UNPLACED
        known = self._known.get(address)
        return self._remember(address) if known is None else known

    def _remember(self, address: str) -> Place:
        if len(self._known) >= _REMEMBERED:
            self._known.clear()
        placed = self._known[address] = self._place(address)
        return placed

    def _place(self, address: str) -> Place:
        parsed = _parsed(address)
        if parsed is None:
            return UNPLACED
        prefix = None if _is_private(parsed) else str(_cut(parsed, _OPEN_PREFIX[parsed.version]))
        return Place(prefix, self._site(parsed))

    def _site(self, address: _Address) -> str | None:
        for length in self._lengths[address.version]:
            site = self._sites.get(_cut(address, length))
            if site is not None:
                return site
        return None


def _parsed(address: str) -> _Address | None:
    """An IPv4 address dressed as IPv6 is that IPv4 address; a zone names an interface, not a place."""
    try:
        parsed = ip_address(address.strip("[]").partition("%")[0])
    except ValueError:
        return None
    return (parsed.ipv4_mapped or parsed) if isinstance(parsed, IPv6Address) else parsed


def _is_private(address: _Address) -> bool:
    return any(address.version == network.version and address in network for network in _PRIVATE)


def _cut(address: _Address, length: int) -> _Network:
    return _NETWORKS[address.version]((int(address), length), strict=False)
