"""What must change so that the cluster's topics are the contract's: a pure comparison."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ringback_events.topics import Topic

__all__ = ["Difference", "Existing", "compare", "wanted_configs"]


@dataclass(frozen=True, slots=True)
class Existing:
    """A topic as the cluster has it."""

    partitions: int
    replication: int
    configs: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Difference:
    """One way in which the cluster is not as the contract says.

    Attributes:
        topic: the contract's name.
        what: `missing`, `partitions`, or the name of a topic setting.
        wanted: the contract's value.
        found: the cluster's value, empty for a missing topic.
        repairable: whether `apply` may mend it; a changed partition count moves keys and is never mended here.
    """

    topic: str
    what: str
    wanted: str
    found: str
    repairable: bool = True


def wanted_configs(topic: Topic, replication: int) -> dict[str, str]:
    """The contract's settings, and as many replicas in sync as may be asked for while one is away.

    Without the latter an acknowledged record could be in one place only.
    """
    return {**topic.kafka_configs(), "min.insync.replicas": str(max(1, replication - 1))}


def compare(topics: Sequence[Topic], cluster: Mapping[str, Existing]) -> list[Difference]:
    """Every difference, topic by topic in the contract's order."""
    return [difference for topic in topics for difference in _of_topic(topic, cluster.get(topic.name))]


def _of_topic(topic: Topic, existing: Existing | None) -> list[Difference]:
    if existing is None:
        return [Difference(topic.name, "missing", f"{topic.partitions} partitions", "")]
    found: list[Difference] = []
    if existing.partitions != topic.partitions:
        wanted, has = str(topic.partitions), str(existing.partitions)
        found.append(Difference(topic.name, "partitions", wanted, has, repairable=False))
    for name, wanted in wanted_configs(topic, existing.replication).items():
        has = existing.configs.get(name, "")
        if has != wanted:
            found.append(Difference(topic.name, name, wanted, has))
    return found
