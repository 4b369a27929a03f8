"""Every topic of the contract: its name, how a key becomes a partition, what it may hold and how long.

`contracts/topics/*.yaml` says the same for people, with owner, producers, service levels, headers and members; a test
keeps the two equal. Names carry no installation prefix; only the Kafka runtime and the operator's command add one.
"""

from dataclasses import dataclass
from enum import StrEnum

__all__ = ["ALL_TOPICS", "FETCH_LANES", "Cleanup", "KeyRule", "Tier", "Topic", "topic"]

_KIB = 1024
_MIB = 1024 * _KIB
_HOUR_MS = 3_600_000
_DAY_MS = 24 * _HOUR_MS


class Tier(StrEnum):
    """Who may read a topic; the second word of its name, so that a prefixed ACL cannot leak."""

    INTERNAL = "internal"
    RESTRICTED = "restricted"
    OPEN = "open"


class KeyRule(StrEnum):
    """What of the key is hashed to a partition."""

    BY_KEY = "by_key"
    """The whole key: all versions of a call meet in one partition."""
    BY_TENANT = "by_tenant"
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
        events: schema names of its values, see `ringback_events.catalogue`; empty while planned.
    """

    name: str
    partitions: int
    key_rule: KeyRule
    max_bytes: int
    retention_ms: int | None
    cleanup: Cleanup = Cleanup.DELETE
    events: tuple[str, ...] = ()

    @property
    def tier(self) -> Tier:
        """The second word of the name."""
        return Tier(self.name.split(".")[1])

    @property
    def entity(self) -> str:
        """The third word of the name, e.g. `fetch-retry-2m`."""
        return self.name.split(".")[2]

    @property
    def dead_letters(self) -> str | None:
        """Where a refused record of this topic goes; None for the dead letters themselves.

        Emergencies go to the restricted tier whatever their own is: a refused one may hold what nobody expected.
        """
        if self.entity == "dead-letters":
            return None
        restricted = self.tier is Tier.RESTRICTED or self.entity.startswith("emergenc")
        return RESTRICTED_DEAD_LETTERS.name if restricted else INTERNAL_DEAD_LETTERS.name

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


def _kept(name: str, partitions: int, rule: KeyRule, days: int, *events: str, max_bytes: int = _MIB) -> Topic:
    return Topic(f"callrecords.{name}.v1", partitions, rule, max_bytes, days * _DAY_MS, events=events)


def _compacted(name: str, partitions: int, rule: KeyRule, *events: str) -> Topic:
    return Topic(f"callrecords.{name}.v1", partitions, rule, _MIB, None, Cleanup.COMPACT, events)


_BY_KEY, _BY_TENANT = KeyRule.BY_KEY, KeyRule.BY_TENANT

FETCH = _kept("internal.fetch", 12, _BY_TENANT, 7, "fetch-request")
FETCH_BULK = _kept("internal.fetch-bulk", 12, _BY_TENANT, 7, "fetch-request")
FETCH_RETRY_10S = _kept("internal.fetch-retry-10s", 12, _BY_TENANT, 7, "fetch-request")
FETCH_RETRY_2M = _kept("internal.fetch-retry-2m", 12, _BY_TENANT, 7, "fetch-request")
FETCH_RETRY_60M = _kept("internal.fetch-retry-60m", 12, _BY_TENANT, 7, "fetch-request")
FETCH_RETRIES = (FETCH_RETRY_10S, FETCH_RETRY_2M, FETCH_RETRY_60M)
"""The lanes on which requests wait for their time, the shortest wait first."""
FETCH_ASIDE = _kept("internal.fetch-aside", 12, _BY_TENANT, 7, "fetch-request")
FETCH_ASIDE_2 = _kept("internal.fetch-aside-2", 12, _BY_TENANT, 7, "fetch-request")
FETCH_ASIDES = (FETCH_ASIDE, FETCH_ASIDE_2)
"""The lanes on which requests wait until their tenant may be asked for them; a tenant's are on one of the two."""
FETCH_LANES = (FETCH, FETCH_BULK, *FETCH_RETRIES, *FETCH_ASIDES)
"""The lanes of the enricher: at once, in bulk, those of the retries, and those of what waits for its tenant."""
LIFECYCLE = _kept("internal.lifecycle", 12, _BY_TENANT, 7, "lifecycle-event")
COMMANDS = _kept("internal.commands", 12, _BY_TENANT, 7)
KEEPER_STATE = _compacted("internal.keeper-state", 12, _BY_TENANT)
CONTROL = _compacted("internal.control", 1, _BY_KEY, "control-entry")
STATUS = _compacted("internal.status", 1, _BY_KEY, "status-report")
EMERGENCY_NOTIFICATIONS = _kept("internal.emergency-notifications", 12, _BY_TENANT, 1)
# A dead letter holds the original bytes and headers about them: it must be allowed more than any source.
INTERNAL_DEAD_LETTERS = _kept("internal.dead-letters", 3, _BY_KEY, 30, max_bytes=5 * _MIB)
RESTRICTED_DEAD_LETTERS = _kept("restricted.dead-letters", 3, _BY_KEY, 14, max_bytes=9 * _MIB)
RECORDS = _kept("restricted.records", 24, _BY_KEY, 14, "record", max_bytes=8 * _MIB)
RESTRICTED_PSTN_CALLS = _kept("restricted.pstn-calls", 12, _BY_KEY, 14)
RESTRICTED_DIRECT_ROUTING_CALLS = _kept("restricted.direct-routing-calls", 12, _BY_KEY, 14)
RESTRICTED_EMERGENCIES = _kept("restricted.emergencies", 12, _BY_KEY, 14)
AUDIT = _kept("restricted.audit", 3, _BY_KEY, 365, "audit-entry")
# The largest record that is published is of 40 MiB of Graph's JSON: 4,260 sessions of the bench's meeting, some 7,000
# of the simulator's. A test holds what is published of one below 0.8 of these sizes.
CALLS = _kept("open.calls", 24, _BY_KEY, 30, "call", max_bytes=4 * _MIB)
SESSIONS = _kept("open.sessions", 24, _BY_KEY, 30, "session", "sessions-completed", max_bytes=4 * _MIB)
OPEN_PSTN_CALLS = _kept("open.pstn-calls", 12, _BY_KEY, 30)
OPEN_DIRECT_ROUTING_CALLS = _kept("open.direct-routing-calls", 12, _BY_KEY, 30)
OPEN_EMERGENCIES = _kept("open.emergencies", 12, _BY_KEY, 30)
CENSUS = _kept("open.census", 12, _BY_TENANT, 35)

ALL_TOPICS: tuple[Topic, ...] = (
    *FETCH_LANES,
    LIFECYCLE,
    COMMANDS,
    KEEPER_STATE,
    CONTROL,
    STATUS,
    EMERGENCY_NOTIFICATIONS,
    INTERNAL_DEAD_LETTERS,
    RESTRICTED_DEAD_LETTERS,
    RECORDS,
    RESTRICTED_PSTN_CALLS,
    RESTRICTED_DIRECT_ROUTING_CALLS,
    RESTRICTED_EMERGENCIES,
    AUDIT,
    CALLS,
    SESSIONS,
    OPEN_PSTN_CALLS,
    OPEN_DIRECT_ROUTING_CALLS,
    OPEN_EMERGENCIES,
    CENSUS,
)
"""All topics of the contract, internal first."""

_BY_NAME = {each.name: each for each in ALL_TOPICS}


def topic(name: str) -> Topic:
    """Return the topic of this name (without the installation's prefix).

    Raises:
        KeyError: the contract has no such topic.
    """
    return _BY_NAME[name]
