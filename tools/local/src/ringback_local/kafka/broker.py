"""A Kafka of one node or several: our own, in containers, or a given one."""

from collections.abc import Sequence

from ringback_local.owned import OwnServer, OwnServers

__all__ = ["Broker"]


class Broker(OwnServers):
    """A Kafka to test or to run against. Data and ports are kept when its nodes die and start again."""

    def __init__(self, bootstrap_servers: str, nodes: Sequence[OwnServer] = ()) -> None:
        super().__init__(f"Kafka at {bootstrap_servers}", nodes)
        self.bootstrap_servers = bootstrap_servers
