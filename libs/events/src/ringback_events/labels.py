"""The form a string must have to enter the open tier: the last check of texts that Graph may put into any field.

Graph's enumerations are open and some of its strings are free. A value that looks like a member, a version or a cut
network passes; what could be a name, an address, a number or an id becomes `unknown` (a network: null).
"""

import ipaddress
import re

from ringback_events.fields import OpenAs

__all__ = ["UNKNOWN", "Labels", "as_label", "as_prefix", "as_version", "gate"]

UNKNOWN = "unknown"
"""Stands for a value that may not enter the open tier; also what Graph says when it does not know."""

# Graph's longest member today has 55 characters. A letter first and never seven digits in a row: no number, no address.
_LABEL = re.compile(r"(?!.*\d{7})[A-Za-z][A-Za-z0-9._-]{0,63}")
# Twelve hex digits or more, however grouped: a GUID, a hardware address.
_HEX_ID = re.compile(r"(?:[0-9A-Fa-f][._-]?){12,}")
# Numbers with at least one dot, a build date of up to eleven digits among them, and perhaps one word such as -beta2.
_VERSION = re.compile(r"\d{1,11}(?:\.\d{1,11}){1,5}(?:[.-][A-Za-z][A-Za-z0-9]{0,15})?")
_PREFIX_LENGTH = {4: 24, 6: 48}


def as_label(value: str) -> str:
    """The value if it has the form of an enumeration's member (`main-audio`, `wifi80211ac`), else `unknown`."""
    return value if _LABEL.fullmatch(value) and not _HEX_ID.fullmatch(value) else UNKNOWN


def as_version(value: str) -> str:
    """The value if it has the form of a version (`16.0.12527.20194`) or a label, else `unknown`.

    Four numbers below 256 could be an address and pass only with a leading 0 or 1: no private network begins so, and
    versions such as 1.4.0.12 do.
    """
    if not _VERSION.fullmatch(value):
        return as_label(value)
    return UNKNOWN if _may_be_address(value) else value


def as_prefix(value: str) -> str | None:
    """The value if it is a network cut to /24 or /48 with no bit beyond, else None.

    A /48 of 6to4 (RFC 3056) holds a whole IPv4 address, so it is none.
    """
    try:
        network = ipaddress.ip_network(value)
    except ValueError:
        return None
    is_whole_ipv4 = isinstance(network, ipaddress.IPv6Network) and network.network_address.sixtofour is not None
    return value if network.prefixlen == _PREFIX_LENGTH[network.version] and not is_whole_ipv4 else None


def _may_be_address(value: str) -> bool:
    try:
        ipaddress.IPv4Address(value)
    except ValueError:
        return False
    return not value.startswith(("0.", "1."))


Labels = dict[str | None, str | None]
"""From a string to its open form; null stays null."""


class _Gate(Labels):
    """Remembers what each distinct value became: a million records hold a few hundred distinct labels."""

    _MOST = 4096  # hostile input could bring a new value each time

    def __init__(self, opens: OpenAs) -> None:
        super().__init__()
        self._rule = {OpenAs.LABEL: as_label, OpenAs.VERSION: as_version, OpenAs.PREFIX: as_prefix}[opens]

    def __missing__(self, value: str | None) -> str | None:
        if len(self) >= self._MOST:
            self.clear()
        opened = self[value] = None if value is None else self._rule(value)
        return opened


def gate(opens: OpenAs) -> Labels:
    """A mapping from every string, and null, to its open form by the rule, remembered, bounded.

    Raises:
        KeyError: the rule is not about a string's form.
    """
    return _Gate(opens)
