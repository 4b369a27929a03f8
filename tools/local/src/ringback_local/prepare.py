"""`ringback-local prepare`: find out early whether Kafka and PostgreSQL can be run here, and fetch what they need."""

import os

from ringback_local import named
from ringback_local.choice import Provider, broker_provider, store_provider
from ringback_local.kafka.jars import fetch_jars
from ringback_local.machine import look, prefers_docker

__all__ = ["prepare"]


def prepare() -> None:
    """Choose both providers as a run would, and fetch Kafka's jars if they will serve.

    Raises:
        ConfigError: Kafka or PostgreSQL cannot be run here.
    """
    machine = look()
    store_provider(machine, given=named.POSTGRES in os.environ, prefer_docker=prefers_docker())
    broker = broker_provider(machine, given=named.KAFKA in os.environ, prefer_docker=prefers_docker())
    if broker is Provider.NATIVE:
        fetch_jars()
