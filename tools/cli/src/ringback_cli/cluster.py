"""Kafka's administration, as far as the operator's command needs it."""

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, cast

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import KafkaConnectionError, KafkaError, for_code
from ringback_common.errors import Transient
from ringback_common.settings import KafkaSettings
from ringback_events.topics import ALL_TOPICS, Topic
from ringback_stream.shared.connection import client_options, contract_name, full_name, unreachable

from ringback_cli.topic_plan import Existing, wanted_configs

__all__ = ["Cluster"]


class Cluster:
    """Reads and makes topics; knows the contract's names only."""

    def __init__(self, admin: Any, kafka: KafkaSettings) -> None:
        self._admin = admin
        self._kafka = kafka

    @classmethod
    @asynccontextmanager
    async def connect(cls, kafka: KafkaSettings) -> AsyncGenerator["Cluster"]:
        """A connection for the length of a command.

        Raises:
            Transient: no broker answers at the address given, or Kafka refuses.
        """
        admin = cast("Any", AIOKafkaAdminClient)(**client_options(kafka))
        try:
            await admin.start()
        except KafkaConnectionError:
            raise unreachable(kafka) from None
        try:
            yield cls(admin, kafka)
        except KafkaError as failed:
            raise Transient(f"Kafka refused: {type(failed).__name__}.") from None
        except TimeoutError:
            raise Transient(
                "Kafka made the topics but does not show them yet; look again with `topics diff`."
            ) from None
        finally:
            await admin.close()

    async def topics(self) -> dict[str, Existing]:
        """The contract's topics that exist, with partitions, replication and settings."""
        ours = {full_name(self._kafka, topic.name) for topic in ALL_TOPICS} & set(await self._admin.list_topics())
        described: Sequence[Mapping[str, Any]] = await self._admin.describe_topics(sorted(ours)) if ours else []
        configs = await self._configs(ours)
        return {
            contract_name(self._kafka, entry["topic"]): Existing(
                partitions=len(entry["partitions"]),
                replication=len(entry["partitions"][0]["replicas"]),
                configs=configs.get(entry["topic"], {}),
            )
            for entry in described
        }

    async def create(self, topic: Topic, replication: int) -> None:
        """Make a topic as the contract says; raises Transient while the cluster has no controller."""
        name = full_name(self._kafka, topic.name)
        await self._require_controller()
        new = NewTopic(name, topic.partitions, replication, topic_configs=wanted_configs(topic, replication))
        answer = await self._admin.create_topics([new])
        for entry in answer.topic_errors:
            _raise_for(entry[1])

    async def configure(self, topic: Topic, replication: int) -> None:
        """Set all settings of a topic; Kafka replaces them as a whole, so every one of ours is given."""
        name, configs = full_name(self._kafka, topic.name), wanted_configs(topic, replication)
        resource = ConfigResource(ConfigResourceType.TOPIC, name, configs=configs)
        for answer in await self._admin.alter_configs([resource]):
            for entry in answer.resources:
                _raise_for(entry[0])

    async def _require_controller(self) -> None:
        """Raise Transient if the cluster has none, as shortly after its start.

        Without this, aiokafka's `create_topics` ends with an AttributeError.
        """
        if (await self._admin.describe_cluster())["controller_id"] < 0:
            raise Transient("Kafka has no controller yet, so no topic can be made. Try again when its nodes are up.")

    async def _configs(self, names: set[str]) -> dict[str, dict[str, str]]:
        resources = [ConfigResource(ConfigResourceType.TOPIC, name) for name in sorted(names)]
        answers: list[Any] = await self._admin.describe_configs(resources) if resources else []
        return {
            entry[3]: {config[0]: config[1] for config in entry[4]} for answer in answers for entry in answer.resources
        }


def _raise_for(code: int) -> None:
    if code:
        raise for_code(code)
