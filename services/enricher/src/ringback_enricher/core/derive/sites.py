"""Where an address is: its site by the subnet map, and the prefix that the open tier shows."""

from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

__all__ = ["UNPLACED", "SiteMap", "SiteMatch"]

_Address = IPv4Address | IPv6Address

_PRIVATE = tuple(
    ip_network(prefix)
    for prefix in (
        # RFC 1918, 6598 (shared), 3927 and 1122: ranges that mean nothing outside their own network
        *("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "169.254.0.0/16", "127.0.0.0/8"),
        "0.0.0.0/8",
        # RFC 4193, 4291, 3879: unique local, link local, loopback, unspecified, multicast, site local
        *("fc00::/7", "fe80::/10", "::1/128", "::/128", "ff00::/8", "fec0::/10"),
    )
)
_OPEN_PREFIX = {4: 24, 6: 48}
"""No finer than a household: a provider gives it a /48 or a longer prefix (RFC 6177), and one address of IPv4."""
_OF_IPV4 = (ip_network("64:ff9b::/96"), ip_network("::/96"))
"""RFC 6052, 4291: prefixes before a whole IPv4 address."""
_REMEMBERED = 50_000
"""Addresses remembered: some 10 MB, more than the active clients of the largest tenant in an hour."""


@dataclass(frozen=True, slots=True)
class SiteMatch:
    """The site and the open prefix of an address.

    Attributes:
        prefix: /24 or /48; None for a private range or something that is no address.
        site: the site of the longest matching prefix of the map.
    """

    prefix: str | None
    site: str | None


UNPLACED = SiteMatch(None, None)


class SiteMap:
    """Knows the sites of an installation. Never changes; what it looked up is remembered."""

    def __init__(self, subnets: Iterable[tuple[str, str]] = ()) -> None:
        """Take (CIDR, site) pairs.

        Raises:
            ValueError: a CIDR cannot be read.
        """
        # By version: host bits, fewest first, to the sites of the subnets that have so many, by their leading bits.
        self._by_host_bits: dict[int, dict[int, dict[int, str]]] = {4: {}, 6: {}}
        for cidr, site in subnets:
            network = ip_network(cidr, strict=False)
            host_bits = network.max_prefixlen - network.prefixlen
            sites = self._by_host_bits[network.version].setdefault(host_bits, {})
            sites[int(network.network_address) >> host_bits] = site
        self._by_host_bits = {version: dict(sorted(found.items())) for version, found in self._by_host_bits.items()}
        self._known: dict[str, SiteMatch] = {}

    def place(self, address: str | None) -> SiteMatch:
        """Place an address as Graph writes it; whatever is no address is unplaced."""
        if not address:
            return UNPLACED
        known = self._known.get(address)
        return self._remember(address) if known is None else known

    def _remember(self, address: str) -> SiteMatch:
        if len(self._known) >= _REMEMBERED:
            self._known.clear()
        placed = self._known[address] = self._place(address)
        return placed

    def _place(self, address: str) -> SiteMatch:
        parsed = _parsed(address)
        if parsed is None:
            return UNPLACED
        seen = _behind(parsed)
        return SiteMatch(None if _is_private(parsed) or _is_private(seen) else _open_prefix(seen), self._site(parsed))

    def _site(self, address: _Address) -> str | None:
        bits = int(address)
        for host_bits, sites in self._by_host_bits[address.version].items():
            site = sites.get(bits >> host_bits)
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


def _behind(address: _Address) -> _Address:
    """The IPv4 address that one of IPv6 holds (6to4, Teredo, NAT64): its /48 would reveal more than a /24."""
    if not isinstance(address, IPv6Address):
        return address
    if address.teredo is not None:
        return address.teredo[1]
    if any(address in network for network in _OF_IPV4):
        return IPv4Address(int(address) & 0xFFFF_FFFF)
    return address.sixtofour or address


def _is_private(address: _Address) -> bool:
    return any(address.version == network.version and address in network for network in _PRIVATE)


def _open_prefix(address: _Address) -> str:
    length = _OPEN_PREFIX[address.version]
    host_bits = address.max_prefixlen - length
    return f"{type(address)(int(address) >> host_bits << host_bits)}/{length}"
