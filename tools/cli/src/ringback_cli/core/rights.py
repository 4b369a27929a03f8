"""Which Kafka user may do what, by the producers and consumers that the contract's topics name; pure.

Read and Write let a user describe the topic, too. A producer without transactions needs no further right for its
idempotence: since Kafka 2.8 the right to write one topic is enough.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

from ringback_events.topics import Topic

from ringback_cli.core.releases import released_to

__all__ = ["Right", "User", "readers", "rights", "writers"]


class User(StrEnum):
    """Each process has a Kafka user of its own; so have the operator's command and the Job that makes topics."""

    WEBHOOK = "webhook"
    KEEPER = "keeper"
    ENRICHER = "enricher"
    REDERIVE = "rederive"
    STORE = "store"
    OPERATOR = "operator"
    TOPICS = "topics"


@dataclass(frozen=True, slots=True)
class Right:
    """What a user may do with one topic or one consumer group.

    Attributes:
        kind: of what.
        name: the contract's, without the installation's prefix.
        operations: as Kafka names them.
    """

    kind: Literal["topic", "group"]
    name: str
    operations: tuple[str, ...]


GROUPS = {
    User.KEEPER: ("ringback-keeper",),
    User.ENRICHER: ("ringback-enricher",),
    User.STORE: ("ringback-sink-store", "ringback-sink-store-operations"),
}
"""Consumer groups by their user. These processes follow `control`, report to `status` and write dead letters."""

_EVERY_CONSUMER = "every consumer"
_NAMED: dict[str, tuple[User, ...]] = {
    "webhook": (User.WEBHOOK,),
    "keeper": (User.KEEPER,),
    "enricher fetch": (User.ENRICHER,),
    "enricher rederive": (User.REDERIVE,),
    "store": (User.STORE,),
    "store (heads only)": (User.STORE,),
    "store (decisions about dead letters only)": (User.STORE,),
    "every process but the webhook": tuple(GROUPS),  # a re-derivation is a job and follows nothing
    "ringback": (User.OPERATOR,),
    "ringback dlq": (User.OPERATOR,),
    "ringback resume": (User.OPERATOR,),
    # Not of this release, or of other teams: their owners are given rights by hand.
    "reconcile": (),
    "console": (),
    "security": (),
    "any team": (),
}
"""The words of the topic files' `producers` and `consumers`."""


def readers(topic: Topic) -> set[User]:
    """The users that read a topic; raises LookupError for a consumer whose user is not known."""
    return _users(topic, topic.consumers)


def writers(topic: Topic, topics: Iterable[Topic]) -> set[User]:
    """The users that write a topic, given all topics; raises LookupError for a producer whose user is not known.

    Dead letters are written by those who read a topic that they belong to, and the operator writes where dead letters
    are released to.
    """
    found = _users(topic, (word for word in topic.producers if word != _EVERY_CONSUMER))
    for source in topics:
        consuming = readers(source) & GROUPS.keys()
        if source.dead_letters == topic.name:
            found |= consuming
        if consuming and released_to(source.name) == topic.name:
            found.add(User.OPERATOR)
    return found


def _users(topic: Topic, words: Iterable[str]) -> set[User]:
    found: set[User] = set()
    for word in words:
        if word not in _NAMED:
            raise LookupError(f"{topic.name} names {word!r}, whose Kafka user is not known: add it to the rights.")
        found.update(_NAMED[word])
    return found


def rights(user: User, topics: tuple[Topic, ...]) -> list[Right]:
    """Everything a user may do, topics first; what is not listed is refused by a Kafka with an authorizer."""
    found = [Right("topic", topic.name, _operations(user, topic, topics)) for topic in topics]
    groups = [Right("group", name, ("Read",)) for name in GROUPS.get(user, ())]
    return [right for right in found if right.operations] + groups


def _operations(user: User, topic: Topic, topics: tuple[Topic, ...]) -> tuple[str, ...]:
    if user is User.TOPICS:
        return ("Create", "Describe", "DescribeConfigs", "AlterConfigs")
    reads, writes = user in readers(topic), user in writers(topic, topics)
    operations = ("Read",) * reads + ("Write",) * writes
    if user is User.OPERATOR:  # `topics diff`
        return (*operations, *(() if operations else ("Describe",)), "DescribeConfigs")
    # At its start a process checks that both topics of dead letters exist.
    return operations or (("Describe",) if user in GROUPS and _EVERY_CONSUMER in topic.producers else ())
