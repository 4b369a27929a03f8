"""Find out early whether what is to be started can be: `ringback-local prepare` and `ringback-local engine`."""

import os

from ringback_common.errors import ConfigError

from ringback_local import named
from ringback_local.choice import Provider, broker_provider, store_provider
from ringback_local.kafka.jars import fetch_jars
from ringback_local.machine import look, prefers_docker

__all__ = ["need_engine", "prepare"]


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


def need_engine() -> None:
    """For what runs in containers only.

    Raises:
        ConfigError: no Docker engine answers.
    """
    if not look().docker:
        named_host = os.environ.get("DOCKER_HOST", "/var/run/docker.sock")
        raise ConfigError(f"No Docker engine answers at {named_host}: start one, or name another with DOCKER_HOST.")
