"""The contract as Strimzi's objects: KafkaTopic and KafkaUser of `kafka.strimzi.io/v1`."""

import re
from collections.abc import Iterable, Sequence
from typing import Annotated, Any

import typer
import yaml
from ringback_events.topics import ALL_TOPICS, Topic

from ringback_cli.core.rights import Right, User, rights
from ringback_cli.topic_plan import wanted_configs

__all__ = ["Cluster", "Prefix", "Strimzi", "kafka_topics", "kafka_users", "text"]

_API = "kafka.strimzi.io/v1"

Object = dict[str, Any]
Strimzi = Annotated[bool, typer.Option("--strimzi", help="As objects of the Strimzi operator.")]
Cluster = Annotated[str, typer.Option(help="The Kafka object that Strimzi makes them in.")]
Prefix = Annotated[
    str, typer.Option(help="The installation's topic prefix.", envvar="RINGBACK_KAFKA__TOPIC_PREFIX", show_envvar=False)
]


def text(objects: Iterable[Object]) -> str:
    """YAML documents for `kubectl apply --filename -`."""
    return "".join(f"---\n{yaml.safe_dump(one, sort_keys=False)}" for one in objects)


def kafka_topics(cluster: str, prefix: str, replication: int) -> list[Object]:
    """One KafkaTopic for each topic of the contract, with the settings that `topics apply` sets."""
    return [_kafka_topic(topic, cluster, prefix, replication) for topic in ALL_TOPICS]


def _kafka_topic(topic: Topic, cluster: str, prefix: str, replication: int) -> Object:
    full = prefix + topic.name
    spec: Object = {"partitions": topic.partitions, "replicas": replication}
    if full != _object_name(full):
        spec["topicName"] = full
    return _object("KafkaTopic", full, cluster, spec | {"config": wanted_configs(topic, replication)})


def kafka_users(cluster: str, prefix: str) -> list[Object]:
    """One KafkaUser for each process, with its rights; Strimzi makes a Secret of its name with the password.

    The user of the Job that makes topics is not among them: where Strimzi makes users, it makes the topics.
    """
    return [_kafka_user(user, cluster, prefix) for user in User if user is not User.TOPICS]


def _kafka_user(user: User, cluster: str, prefix: str) -> Object:
    spec = {
        "authentication": {"type": "scram-sha-512"},
        "authorization": {"type": "simple", "acls": _acls(rights(user, ALL_TOPICS), prefix)},
    }
    return _object("KafkaUser", f"{prefix}ringback-{user}", cluster, spec)


def _acls(allowed: Sequence[Right], prefix: str) -> list[Object]:
    return [
        {
            "resource": {"type": right.kind, "name": prefix + right.name, "patternType": "literal"},
            "operations": list(right.operations),
        }
        for right in allowed
    ]


def _object(kind: str, name: str, cluster: str, spec: Object) -> Object:
    metadata = {"name": _object_name(name), "labels": {"strimzi.io/cluster": cluster}}
    return {"apiVersion": _API, "kind": kind, "metadata": metadata, "spec": spec}


def _object_name(name: str) -> str:
    """The name as Kubernetes takes it: lower case, no underscores."""
    return re.sub(r"[^a-z0-9.-]", "-", name.lower())
