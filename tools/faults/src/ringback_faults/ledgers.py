"""What is known of a run, written down by parties that are not under test. Values only.

Five ledgers and the harness's own notes. Times are Unix seconds: the simulator's and the harness's of this machine's
clock, those of Kafka's records the broker's (`LogAppendTime`), which is the same clock: no fault moves it.
"""

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field

from ringback_faults.contents import Children, Contents

__all__ = [
    "GRAPHS_BUDGET",
    "Act",
    "Children",
    "Commit",
    "Contents",
    "Expected",
    "Generation",
    "Item",
    "Key",
    "Ledgers",
    "Post",
    "Request",
    "Sample",
    "SentOdd",
    "StoredCall",
    "StoredVersion",
    "Subscribed",
    "TopicRecord",
    "Write",
]


Key = tuple[str, str]
"""(tenant id, call id)"""
GRAPHS_BUDGET = 1500
"""Requests in 20 s that Graph takes of one app for one tenant."""


@dataclass(frozen=True, slots=True)
class Expected:
    """One call as the simulator's ledger has it.

    Attributes:
        accepted: version Graph held when an item that was answered 2xx was sent → number of such items.
        served: versions it served, whole or in part.
        versions: what each version consists of.
        is_group: whether it is anything but a call of two, by Graph's own word.
    """

    accepted: Mapping[int, int]
    served: AbstractSet[int]
    versions: Mapping[int, Children]
    is_group: bool = True


@dataclass(frozen=True, slots=True)
class Item:
    """One notification of a POST.

    Attributes:
        item: the sender's name of it.
        key: the call.
        version: what Graph held when the POST left.
        planted: why it is not an ordinary one: forgedClientState, duplicate; else None.
    """

    item: str
    key: Key
    version: int
    planted: str | None = None


@dataclass(frozen=True, slots=True)
class Post:
    """One attempt of the sender. `status` is None when it never got an answer: such items may or may not be durable.

    Attributes:
        subscription: the id of that of its first item; all have one URL.
        odd: the kind of what is odd in its body, empty if nothing is.
        process: the webhook whose port its URL names; the first one where it names a link before them.
    """

    at: float
    end: float
    attempt: int
    status: int | None
    items: tuple[Item, ...]
    lifecycle: bool = False
    subscription: str = ""
    odd: str = ""
    process: str = "webhook"

    @property
    def accepted(self) -> bool:
        """Answered 2xx."""
        return self.status is not None and 200 <= self.status < 300  # noqa: PLR2004 - HTTP's classes


@dataclass(frozen=True, slots=True)
class SentOdd:
    """A POST in which nothing is genuine, and what it was answered."""

    at: float
    status: int | None


@dataclass(frozen=True, slots=True)
class Subscribed:
    """What became of a subscription, or of the wish for one.

    Attributes:
        event: created, renewed, reauthorized, deleted, removed, expired; or refused, when an endpoint did not validate.
        subscription: its id; empty for one that was refused.
        whole: whether it is to all call records of the tenant; a filter by participant makes another one.
        kid: of the key that its URL names, empty if none.
    """

    at: float
    event: str
    tenant_id: str = ""
    subscription: str = ""
    whole: bool = True
    kid: str = ""


@dataclass(frozen=True, slots=True)
class Request:
    """One request the simulator answered. `version` is the version served, None unless the answer was 200."""

    at: float
    end: float
    tenant_id: str
    route: str
    call_id: str | None
    page: int | None
    version: int | None
    status: int
    inside_retry_after: bool
    over_budget: str | None
    fault: str | None


@dataclass(frozen=True, slots=True)
class TopicRecord:
    """One record of a dumped topic, without its payload.

    Attributes:
        topic: the contract's name.
        at: the broker's time of the append.
        event_id: source and id of the CloudEvents headers; None for a record without them.
        digest: SHA-256 of the value's bytes, None for a tombstone.
        size: bytes of the value.
        key: the call it is about; None where the key names none.
        raw_key: the record's key as it is.
        version: of the call, where the headers tell one.
        revision: likewise.
        headers: all of them, last one wins.
        children: what a restricted record holds, hashed as the simulator does; None on other topics.
        marks: the versions that the simulator wrote into its sessions and participants; two are a mixed record.
        contents: what its own members say, of a restricted record without Graph's JSON; None on internal topics.
        source: what the Graph JSON of a restricted record says.
    """

    topic: str
    partition: int
    offset: int
    at: float
    event_id: bytes | None
    digest: bytes | None
    size: int
    key: Key | None
    raw_key: bytes | None
    version: int | None
    revision: int | None
    headers: Mapping[str, bytes]
    children: Children | None = None
    marks: frozenset[int] = frozenset()
    contents: Contents | None = None
    source: Contents | None = None

    @property
    def place(self) -> str:
        """Where it lies, for a finding: topic/partition/offset."""
        return f"{self.topic}/{self.partition}/{self.offset}"


@dataclass(frozen=True, slots=True)
class StoredCall:
    """The current row of a call.

    Attributes:
        children: of the stored document.
        contents: what the rows of the call, its participants, sessions and streams say.
        source: what the stored document says.
        surplus: rows that stand twice: of the call, of a history version, of a child.
        rows_version: the versions its children's rows carry; anything but {version} is a mixed call.
    """

    key: Key
    version: int
    revision: int
    children: Children
    contents: Contents
    source: Contents
    surplus: int
    rows_version: frozenset[int]


@dataclass(frozen=True, slots=True)
class StoredVersion:
    """A row of the history."""

    key: Key
    version: int
    revision: int
    first_stored_at: float


@dataclass(frozen=True, slots=True)
class Write:
    """A change of a current row that took effect, written by a trigger of the harness's own.

    `before` and `after` are (version, revision); `before` is None for the first.
    """

    at: float
    key: Key
    before: tuple[int, int] | None
    after: tuple[int, int]


@dataclass(frozen=True, slots=True)
class Commit:
    """One offset in `__consumer_offsets`, in the order it was written. `offset` is the next one to read."""

    at: float
    group: str
    topic: str
    partition: int
    offset: int


@dataclass(frozen=True, slots=True)
class Generation:
    """One state of a group in `__consumer_offsets`; a new generation is a rebalance."""

    at: float
    group: str
    generation: int
    members: int


@dataclass(frozen=True, slots=True)
class Sample:
    """A sample of one process. `gauges` are those of /metrics, by name and labels; empty without an answer."""

    at: float
    process: str
    pid: int
    rss: int
    files: int
    gauges: Mapping[str, float] = field(default_factory=dict[str, float])


@dataclass(frozen=True, slots=True)
class Act:
    """Something the harness did or saw, e.g. what="kill", target="enricher".

    Attributes:
        end: when it was undone: SIGCONT after SIGSTOP, ready again after a kill; `at` if there is nothing to undo.
        detail: figures that evidence is made of, e.g. {"exit_code": 0, "seconds": 3.1}.
    """

    at: float
    end: float
    what: str
    target: str
    detail: Mapping[str, float | str] = field(default_factory=dict[str, float | str])


@dataclass(frozen=True, slots=True)
class Ledgers:
    """Everything of one row of the scorecard: only its own calls, only its own span of time and offsets.

    Attributes:
        started: when the row's load began.
        faulted: when the last fault of the row was over.
        drained: when lag was 0 and nothing younger than 5 s was unfinished; None if it never was.
        expected: by call, as the simulator tells it.
        commits: of the whole span, all groups.
        starts: per (group, topic, partition) the committed offset when the row began.
        planted: what the harness wrote past the webhook, by (topic, partition, offset): the reason with which it has to
            be found in the dead letters, empty where it is to be worked on like any other.
        removed: records that the harness removed from a topic before their group had read them.
        tenant_budget: requests in 20 s that may be sent for one tenant; Graph's, unless the world's is smaller.
        subscribed: what became of subscriptions, in the order of the simulator's file.
        odd: POSTs in which nothing is genuine.
        searched: how many names, numbers and addresses of people were looked for.
        leaks: findings of the search for planted people and secrets in everything that was printed or exported.
    """

    started: float
    faulted: float
    drained: float | None
    posts: tuple[Post, ...]
    requests: tuple[Request, ...]
    expected: Mapping[Key, Expected]
    records: tuple[TopicRecord, ...]
    commits: tuple[Commit, ...]
    generations: tuple[Generation, ...]
    starts: Mapping[tuple[str, str, int], int]
    calls: Mapping[Key, StoredCall]
    versions: tuple[StoredVersion, ...]
    writes: tuple[Write, ...]
    samples: tuple[Sample, ...]
    acts: tuple[Act, ...]
    planted: Mapping[tuple[str, int, int], str] = field(default_factory=dict[tuple[str, int, int], str])
    removed: frozenset[tuple[str, int, int]] = frozenset()
    searched: int = 0
    leaks: tuple[str, ...] = ()
    tenant_budget: int = GRAPHS_BUDGET
    subscribed: tuple[Subscribed, ...] = ()
    odd: tuple[SentOdd, ...] = ()
