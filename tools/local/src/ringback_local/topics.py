"""The contract's topics on a local Kafka."""

from collections.abc import Iterable

from aiokafka import TopicPartition
from aiokafka.admin import NewTopic
from aiokafka.errors import for_code
from ringback_events.topics import ALL_TOPICS, Topic, topic

from ringback_local.kafka import clients

__all__ = ["create_contract_topics", "delete_topics"]

_USABLE_MS = 120_000
"""Some 300 logs are made one after another: 2 s on a quiet machine, a minute on one with thirty others at work."""
_RETRY_MS = 10
"""The client comes to know one topic more at each retry: with its usual 100 ms the contract's took 2.3 s of waiting."""


async def create_contract_topics(
    bootstrap_servers: str, prefix: str = "", replication: int = 1, names: Iterable[str] | None = None
) -> dict[str, str]:
    """Create topics as the contract has them, all or the named ones, and return contract name → real name.

    Raises:
        KafkaError: the broker refused one, also because it exists already.
        KeyError: a name is not in the contract.
    """
    wanted = ALL_TOPICS if names is None else [topic(name) for name in names]
    async with clients.admin(bootstrap_servers) as admin:
        answer = await admin.create_topics([_new(one, prefix, replication) for one in wanted])
    refused = [(name, code) for name, code, *_message in answer.topic_errors if code]
    if refused:
        name, code = refused[0]
        raise for_code(code)(name)
    await _wait_usable(bootstrap_servers, prefix, wanted)
    return {one.name: prefix + one.name for one in wanted}


async def _wait_usable(bootstrap_servers: str, prefix: str, wanted: Iterable[Topic]) -> None:
    """Wait until every partition answers for its offsets: a broker acknowledges a topic before it has made its logs."""
    partitions = [TopicPartition(prefix + one.name, number) for one in wanted for number in range(one.partitions)]
    options = {"request_timeout_ms": _USABLE_MS, "retry_backoff_ms": _RETRY_MS}
    async with clients.consumer(bootstrap_servers, **options) as consumer:
        await consumer.end_offsets(partitions)


async def delete_topics(bootstrap_servers: str, names: Iterable[str]) -> None:
    """Delete topics by their real names."""
    async with clients.admin(bootstrap_servers) as admin:
        await admin.delete_topics(list(names))


def _new(one: Topic, prefix: str, replication: int) -> NewTopic:
    configs = one.kafka_configs()
    return NewTopic(prefix + one.name, one.partitions, replication, topic_configs=configs)
