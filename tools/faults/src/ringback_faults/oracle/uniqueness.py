"""I3: everything once. Pure.

In the store always. On a topic an event id may stand again for a reason only: the harness ended or froze a process that
held unfinished work of that call (as many publications as it may have held requests of it), or Graph notified again and
another process, which could not know of the first publication, was asked. The latter follows from the commits: a
request came after the first was read; or before it, and a rebalance left it to the next process (one that gives up its
partitions accepts nothing more while its last steps read); or a rebalance left the copy of a read that went on, whose
result only the process of that read knows (ADR 0039). What a process itself put off is no further request unless there
were two to begin with. `ringback_replay` marks what is repeated on purpose.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from ringback_faults.ledgers import Act, Key, Ledgers, TopicRecord
from ringback_faults.oracle.effects import READ, due_of
from ringback_faults.oracle.index import ENRICHER, RETRIES, Index, place_of
from ringback_faults.row import Repeats

__all__ = ["REPEATING", "Repeat", "in_hand_at", "repeats", "surplus_events", "surplus_rows", "unfinished_at"]

REPEATING = frozenset({
    "kill", "freeze", "point", "bounce", "cut", "kill broker", "produce errors", "refuse link", "poison link",
    "fill disk", "halted",
})  # fmt: skip
"""Acts after which a consumer may have to repeat what it had in hand."""

_Version = tuple[int, int]


def surplus_rows(ledgers: Ledgers, index: Index) -> Iterator[str]:
    """A sentence for each row that stands twice, and for each of a call or version that Graph never served."""
    planted = {(r.key, r.version) for r in index.planted if not ledgers.planted[place_of(r)]}
    for key, stored in ledgers.calls.items():
        if stored.surplus:
            yield f"{stored.surplus} rows of {key[1]} stand twice"
        if key not in ledgers.expected and (key, stored.version) not in planted:
            yield f"{key[1]} is stored and Graph never had it"
    twice = Counter((row.key, row.version) for row in ledgers.versions)
    yield from (f"version {version} of {key[1]} stands {n} times" for (key, version), n in twice.items() if n > 1)
    for row in ledgers.versions:
        expected = ledgers.expected.get(row.key)
        if expected is not None and row.version not in expected.served:
            yield f"version {row.version} of {row.key[1]} is stored and Graph never served it"


def surplus_events(ledgers: Ledgers, index: Index, allowed: Repeats) -> Iterator[str]:
    """A sentence for each repeated publication beyond what the row allows.

    With "span per kill" an act excuses as many repeats of a call, of those that come after it, as requests of that call
    were unfinished when it struck, or came while it lasted.
    """
    if allowed == "any":
        return
    acts = [act for act in ledgers.acts if act.what in REPEATING and allowed != "none"]
    excused: Counter[str] = Counter()
    for repeat in sorted(repeats(ledgers, index), key=lambda repeat: repeat.at):
        struck = (_interrupted(act, repeat.key, ledgers, index) for act in acts if act.at <= repeat.at)
        if excused[repeat.call_id] < sum(struck):
            excused[repeat.call_id] += 1
        else:
            yield str(repeat)


@dataclass(frozen=True, slots=True)
class Repeat:
    """A publication of a version that had been published and that no further request excuses."""

    key: Key
    version: _Version
    before: float
    at: float

    @property
    def call_id(self) -> str:
        """Of the call that was published again."""
        return self.key[1]

    def __str__(self) -> str:
        return f"version {self.version} of {self.call_id} was published at {self.before:.3f} and again at {self.at:.3f}"


def repeats(ledgers: Ledgers, index: Index) -> Iterator[Repeat]:
    """All of them, allowed or not."""
    for key, published in index.published.items():
        for version, again in _publications(published).items():
            for before, at in pairwise(again):
                if not _asked_again(key, before, at, ledgers, index):
                    yield Repeat(key, version, before, at)


def _publications(published: Sequence[TopicRecord]) -> Mapping[_Version, list[float]]:
    """Version → times of its publications: those of the event that stands most often."""
    events: defaultdict[_Version, defaultdict[bytes, list[float]]] = defaultdict(lambda: defaultdict(list))
    for record in published:
        if record.event_id is not None and "ringback_replay" not in record.headers:
            events[record.version or 0, record.revision or 0][record.event_id].append(record.at)
    return {version: max(ids.values(), key=len) for version, ids in events.items()}


def _asked_again(key: Key, before: float, at: float, ledgers: Ledgers, index: Index) -> bool:
    """Whether the group changed hands in between and left a request to a process that did not know the first."""
    moved = min((s.at for s in ledgers.generations if s.group == ENRICHER and before <= s.at <= at), default=None)
    if moved is None:
        return False
    requests = index.lanes.get(key, ())
    reads = [read.at for read in index.reads.get(key, ()) if read.at <= before]
    since = reads[-1] if reads else before
    later = [_is_put_off(request) for request in requests if since < request.at <= at]
    waiting = [request for request in requests if request.at <= before and not _covered(request, before, index)]
    if any(READ in request.headers and not _covered(request, moved, index) for request in waiting):
        return True
    done = [_covered(request, moved, index) for request in waiting]
    return False in later or (True in later and done.count(True) > 1) or set(done) == {True, False}


def _covered(request: TopicRecord, moment: float, index: Index) -> bool:
    commits = index.commits.get((ENRICHER, request.topic, request.partition), ())
    return any(commit.at <= moment and commit.offset > request.offset for commit in commits)


def _is_put_off(request: TopicRecord) -> bool:
    """Whether it is another's: the process could not finish that one, and wrote it to a tier."""
    return request.topic in RETRIES and request.headers.get("ringback_reason") == b"tenant_paused"


def in_hand_at(moment: float, key: Key, ledgers: Ledgers, index: Index) -> int:
    """Requests of a call that had come by then and that no commit had passed, nor one before the row began.

    What waits on a retry tier for its time is in no process's hand.
    """
    return _open_requests(moment, moment, key, ledgers, index)


def _interrupted(act: Act, key: Key, ledgers: Ledgers, index: Index) -> int:
    return _open_requests(act.at, act.end, key, ledgers, index)


def _open_requests(since: float, until: float, key: Key, ledgers: Ledgers, index: Index) -> int:
    return sum(
        request.at <= until
        and not (request.topic in RETRIES and due_of(request) > until)
        and request.offset >= ledgers.starts.get((ENRICHER, request.topic, request.partition), 0)
        and not _covered(request, since, index)
        for request in index.lanes.get(key, ())
    )


def unfinished_at(moment: float, group: str, names: Iterable[str], ledgers: Ledgers) -> int:
    """Records of a group's topics that had been appended by then and were not yet below a commit."""
    wanted = frozenset(names)
    passed = {part: offset for part, offset in ledgers.starts.items() if part[0] == group}
    for commit in ledgers.commits:
        if commit.group == group and commit.at <= moment:
            passed[group, commit.topic, commit.partition] = commit.offset
    return sum(
        record.topic in wanted
        and record.at <= moment
        and record.offset >= passed.get((group, record.topic, record.partition), 0)
        for record in ledgers.records
    )
