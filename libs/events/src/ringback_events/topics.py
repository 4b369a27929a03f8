"""Every topic of the contract: its name, how a key becomes a partition, what it may hold and how long.

`contracts/topics/*.yaml` declares them; `make contracts` writes what programs need of it to `topics.json` beside this
module, which is read here. Names carry no installation prefix; only the Kafka runtime and the operator's command add
one. A constant of a topic that no file declares fails at import.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

__all__ = ["ALL_TOPICS", "FETCH_LANES", "Cleanup", "KeyRule", "Tier", "Topic", "topic"]

_HOUR_MS = 3_600_000
_DAY_MS = 24 * _HOUR_MS


class Tier(StrEnum):
    """Who may read a topic; the second word of its name, so that a prefixed ACL cannot leak."""

    INTERNAL = "internal"
    RESTRICTED = "restricted"
    OPEN = "open"


class KeyRule(StrEnum):
    """What of the key is hashed to a partition: `partitionBy` of its file."""

    BY_KEY = "key"
    """The whole key: all versions of a call meet in one partition."""
    BY_TENANT = "tenant"
    """The key up to the first `|`: one process owns a tenant."""


class Cleanup(StrEnum):
    """Kafka's `cleanup.policy`."""

    DELETE = "delete"
    COMPACT = "compact"


@dataclass(frozen=True, slots=True)
class Topic:
    """What both sides of a topic rely on.

    Attributes:
        name: full name without the installation's prefix, `callrecords.<tier>.<entity>.v1`.
        partitions: number at creation; raising it moves keys and is a breaking change.
        key_rule: what of the key is hashed.
        max_bytes: `max.message.bytes`, of the compressed batch.
        retention_ms: how long a record stays; None for compacted topics.
        cleanup: delete or compact.
        dead_letters: name of the topic that a refused record of this one goes to; None for dead letters themselves.
        events: schema names of its values, see `ringback_events.catalogue`; empty for dead letters.
        producers: who writes it, in the words of its file.
        consumers: who reads it, likewise.
    """

    name: str
    partitions: int
    key_rule: KeyRule
    max_bytes: int
    retention_ms: int | None
    cleanup: Cleanup
    dead_letters: str | None
    events: tuple[str, ...]
    producers: tuple[str, ...]
    consumers: tuple[str, ...]

    @property
    def tier(self) -> Tier:
        """The second word of the name."""
        return Tier(self.name.split(".")[1])

    @property
    def entity(self) -> str:
        """The third word of the name, e.g. `fetch-retry-2m`."""
        return self.name.split(".")[2]

    def kafka_configs(self) -> dict[str, str]:
        """The topic-level settings of Kafka the contract demands; replication belongs to the installation."""
        configs = {
            "cleanup.policy": self.cleanup.value,
            "compression.type": "producer",
            "max.message.bytes": str(self.max_bytes),
            "message.timestamp.type": "LogAppendTime",
        }
        if self.retention_ms is not None:
            configs["retention.ms"] = str(self.retention_ms)
        if self.cleanup is Cleanup.COMPACT:
            # Closed segments alone are compacted: an hourly roll bounds what a starting process must read.
            configs |= {"segment.ms": str(_HOUR_MS), "min.cleanable.dirty.ratio": "0.1"}
        return configs


def _topic(name: str, data: Mapping[str, Any]) -> Topic:
    days: int | None = data["retentionDays"]
    return Topic(
        name=name,
        partitions=data["partitions"],
        key_rule=KeyRule(data["partitionBy"]),
        max_bytes=data["maxBytes"],
        retention_ms=None if days is None else days * _DAY_MS,
        cleanup=Cleanup(data["cleanup"]),
        dead_letters=data["deadLetters"],
        events=tuple(data["events"]),
        producers=tuple(data["producers"]),
        consumers=tuple(data["consumers"]),
    )


def _declared() -> dict[str, Topic]:
    data = json.loads(Path(__file__).with_name("topics.json").read_text("utf-8"))
    return {name: _topic(name, each) for name, each in data.items()}


_BY_NAME = _declared()
ALL_TOPICS: tuple[Topic, ...] = tuple(_BY_NAME.values())
"""All topics of the contract by name: internal, open, restricted."""


def topic(name: str) -> Topic:
    """Return the topic of this name (without the installation's prefix).

    Raises:
        KeyError: the contract has no such topic.
    """
    return _BY_NAME[name]


def _of(words: str) -> Topic:
    """The topic of this tier and entity.

    Raises:
        LookupError: no file declares it.
    """
    name = f"callrecords.{words}.v1"
    if name not in _BY_NAME:
        raise LookupError(f"No file of contracts/topics declares {name}, or `make contracts` was not run since.")
    return _BY_NAME[name]


FETCH = _of("internal.fetch")
FETCH_BULK = _of("internal.fetch-bulk")
FETCH_RETRY_10S = _of("internal.fetch-retry-10s")
FETCH_RETRY_2M = _of("internal.fetch-retry-2m")
FETCH_RETRY_60M = _of("internal.fetch-retry-60m")
FETCH_RETRIES = (FETCH_RETRY_10S, FETCH_RETRY_2M, FETCH_RETRY_60M)
"""The lanes on which requests wait for their time, the shortest wait first."""
FETCH_ASIDE = _of("internal.fetch-aside")
FETCH_ASIDE_2 = _of("internal.fetch-aside-2")
FETCH_ASIDES = (FETCH_ASIDE, FETCH_ASIDE_2)
"""The lanes on which requests wait until their tenant may be asked for them; a tenant's are on one of the two."""
FETCH_LANES = (FETCH, FETCH_BULK, *FETCH_RETRIES, *FETCH_ASIDES)
"""The lanes of the enricher: at once, in bulk, those of the retries, and those of what waits for its tenant."""
LIFECYCLE = _of("internal.lifecycle")
CONTROL = _of("internal.control")
STATUS = _of("internal.status")
INTERNAL_DEAD_LETTERS = _of("internal.dead-letters")
RESTRICTED_DEAD_LETTERS = _of("restricted.dead-letters")
RECORDS = _of("restricted.records")
AUDIT = _of("restricted.audit")
CALLS = _of("open.calls")
SESSIONS = _of("open.sessions")
