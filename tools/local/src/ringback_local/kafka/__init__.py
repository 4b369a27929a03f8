"""A real Kafka on this machine."""

from ringback_local.kafka.broker import Broker
from ringback_local.kafka.provider import open_broker
from ringback_local.servers import NotOurs

__all__ = ["Broker", "NotOurs", "open_broker"]
