"""One side's network during a media stream."""

from typing import Any, cast

from ringback_events.wire import NetworkWire

from ringback_enricher.core.derive.field_reader import FieldReader, Members, is_silent, text
from ringback_enricher.core.derive.parties import PartyBuilder
from ringback_enricher.core.derive.sites import SiteMap

__all__ = ["Networks"]

_UNKNOWN = ("unknown",)
_NOTHING = (None, "", *_UNKNOWN)


class Networks:
    """Derives the networks of one record and counts the empty ones."""

    __slots__ = ("_place", "_reader", "empty")

    def __init__(self, sites: SiteMap, reader: FieldReader) -> None:
        self._place = sites.place
        self._reader = reader
        self.empty = 0

    def network(self, value: Any, party: PartyBuilder | None) -> NetworkWire | None:
        """Derive one side's network and add it to its party; an empty one is counted and left out.

        It is empty if every member, and those of its trace, are null, empty or `unknown`: four of its members are
        enumerations that may not be null, and say `unknown` where all else is null (Graph: networkInfo; graph-docs
        issue 13069).
        The site is that of the local address; where the map has none for it, that of the reflexive address.
        """
        if type(value) is not dict:
            return None
        network = cast("Members", value)
        if network.get("connectionType") in _NOTHING and is_silent(network, saying=_UNKNOWN):
            self.empty += 1
            return None
        return self._derived(network, party)

    def _derived(self, network: Members, party: PartyBuilder | None) -> NetworkWire:
        get, whole = network.get, self._reader.whole
        address, reflexive = text(get("ipAddress")), text(get("reflexiveIPAddress"))
        local, outer = self._place(address), self._place(reflexive)
        connection = v if type(v := get("connectionType")) is str else None
        site = local.site or outer.site
        if party is not None:
            if connection not in _NOTHING:
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
