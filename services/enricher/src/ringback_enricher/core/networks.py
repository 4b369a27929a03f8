"""One side's network during a media stream."""

from typing import Any, cast

from ringback_events.wire import NetworkWire

from ringback_enricher.core.parties import Party
from ringback_enricher.core.readings import Members, Readings, text
from ringback_enricher.core.sites import SiteMap

__all__ = ["Networks"]


class Networks:
    """Derives the networks of one record and counts the empty ones."""

    __slots__ = ("_place", "_readings", "empty")

    def __init__(self, sites: SiteMap, readings: Readings) -> None:
        self._place = sites.place
        self._readings = readings
        self.empty = 0

    def network(self, value: Any, party: Party | None) -> NetworkWire | None:
        """Derive one side's network and tell its party; one in which every member is null is counted and told as none.

        The site is that of the local address; where the map has none for it, that of the reflexive address.
        """
        if type(value) is not dict:
            return None
        network = cast("Members", value)
        if network.get("connectionType") is None and network.get("ipAddress") is None and _is_empty(network):
            self.empty += 1
            return None
        return self._derived(network, party)

    def _derived(self, network: Members, party: Party | None) -> NetworkWire:
        get, whole = network.get, self._readings.whole
        address, reflexive = text(get("ipAddress")), text(get("reflexiveIPAddress"))
        local, outer = self._place(address), self._place(reflexive)
        connection = v if type(v := get("connectionType")) is str else None
        site = local.site or outer.site
        if party is not None:
            if connection is not None:
                party.connection_types.add(connection)
            if site is not None:
                party.sites.add(site)
        # The type tests stand inline: this literal is built twice for every media of every record.
        return {
            "connectionType": connection,
            "transport": v if type(v := get("networkTransportProtocol")) is str else None,
            "wifiBand": v if type(v := get("wifiBand")) is str else None,
            "wifiRadioType": v if type(v := get("wifiRadioType")) is str else None,
            "wifiSignalStrength": None if (v := get("wifiSignalStrength")) is None else whole(v),
            "linkSpeedBps": None if (v := get("linkSpeed")) is None else whole(v),
            "networkPrefix": local.prefix,
            "reflexivePrefix": outer.prefix,
            "site": site,
            "ipAddress": address,
            "reflexiveIpAddress": reflexive,
            "relayIpAddress": v if type(v := get("relayIPAddress")) is str else None,
            "subnet": v if type(v := get("subnet")) is str else None,
            "macAddress": v if type(v := get("macAddress")) is str else None,
            "basicServiceSetIdentifier": v if type(v := get("basicServiceSetIdentifier")) is str else None,
            "dnsSuffix": v if type(v := get("dnsSuffix")) is str else None,
        }


def _is_empty(network: Members) -> bool:
    # A loop, for it nearly always ends at the first member.
    for name, value in network.items():  # noqa: SIM110
        if value is not None and value != [] and name[:1] != "@":
            return False
    return True
