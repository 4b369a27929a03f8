"""I7: no request is tried for ever. Pure.

Counted in the simulator's ledger and on the topics, held against the failure table of ARCHITECTURE.md: so many tries in
place, so many deferrals for each reason. A process that is interrupted, or hands over, may begin a count anew.
"""

from collections import Counter, deque
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from ringback_events import topics

from ringback_faults.ledgers import Key, Ledgers, Request, TopicRecord
from ringback_faults.oracle.index import ENRICHER, RETRIES, Index
from ringback_faults.oracle.uniqueness import REPEATING

__all__ = ["endless_deferrals", "endless_tries"]

_IN_PLACE = 4
"""Tries of a record in hand that alone fails."""
_DEFERRALS = {
    b"not_found": 6,
    b"forbidden": 6,
    b"version_unstable": 6,
    b"version_behind": 3,
    b"sessions_missing": 3,
    b"unknown_tenant": 5,
    b"refused": 6,
    b"malformed_record": 6,
    b"upstream_error": 28,
    b"throttled": 28,
}
"""Reason → how often a request may be put off for it; what waits for its tenant, for the bulk lane, or for a read of
its call that goes on, is not counted."""
_AS_WITNESS = 1
"""The call may be asked for once more to learn whether it is its tenant alone that Graph does not answer."""
_SERVER, _OK = 500, 200
_LATELY, _WELL = 20, 0.25
"""Of so many reads this share may fail while Graph is well. A breaker that looks at as many opens at twice of it, and
what fails while it is open is held against nobody: a count of requests does not show that, for a read may have many.
"""


class _Read(NamedTuple):
    """One read of a call by its last request."""

    key: Key
    at: float
    failed: bool


def endless_tries(ledgers: Ledgers, index: Index) -> Iterator[str]:
    """A sentence for each call that Graph failed, while it served others, more often than its requests were due."""
    failures: dict[Key, list[float]] = {}
    for read in _lone_failures(ledgers.requests):
        failures.setdefault(read.key, []).append(read.at)
    for key, moments in failures.items():
        lanes = index.lanes.get(key, ())
        for tries, at in enumerate(moments, start=1):
            taken_in = max(1, sum(record.at <= at for record in lanes))  # those of earlier rows are in no ledger
            due = _IN_PLACE * taken_in * (1 + _interruptions(at, ledgers)) + _AS_WITNESS
            if tries > due:
                yield f"{key[1]} was tried {len(moments)} times though it alone failed; {due} were due at {at:.3f}"
                break


def endless_deferrals(ledgers: Ledgers, index: Index) -> Iterator[str]:
    """A sentence for each request that was put off for a reason more often than the table allows."""
    for key, lanes in index.lanes.items():
        deferrals = Counter((record.digest, _reason(record)) for record in lanes if record.topic in RETRIES)
        for (digest, reason), times in deferrals.items():
            begun = sum(record.digest == digest and _is_original(record) for record in lanes)
            due = _DEFERRALS.get(reason, times) * max(1, begun) * (1 + _interruptions(lanes[-1].at, ledgers))
            if times > due:
                yield f"a request of {key[1]} was put off {times} times for {reason.decode()}, {due} are allowed"


def _lone_failures(requests: Sequence[Request]) -> Iterator[_Read]:
    """Reads that failed while hardly any other did, and others were served since the call's last one failed."""
    before, served, seen = deque[bool](maxlen=_LATELY), 0, dict[Key, int]()
    for read in sorted(_reads(requests), key=lambda one: one.at):
        if read.failed:
            if served > seen.get(read.key, -1) and sum(before) <= _LATELY * _WELL:
                yield read
            seen[read.key] = served
        served += not read.failed
        before.append(read.failed)


def _reads(requests: Sequence[Request]) -> Iterator[_Read]:
    """Every read of a call; it begins with the record itself, or after one that failed."""
    going_on: dict[Key, _Read] = {}
    for request in sorted(requests, key=lambda one: one.end):
        if not request.call_id:
            continue
        key = request.tenant_id, request.call_id
        before = going_on.pop(key, None)
        if before is not None and request.route == "record":
            yield before
        read = _Read(key, request.end, failed=_is_failure(request))
        if read.failed:
            yield read
        else:
            going_on[key] = read
    yield from going_on.values()


def _is_failure(request: Request) -> bool:
    """No answer, one that says Graph failed, or one that the simulator spoilt."""
    return request.status == 0 or request.status >= _SERVER or (request.status == _OK and request.fault is not None)


def _interruptions(until: float, ledgers: Ledgers) -> int:
    acts = sum(act.what in REPEATING | {"terminate"} and act.at <= until for act in ledgers.acts)
    return acts + len({s.generation for s in ledgers.generations if s.group == ENRICHER and s.at <= until})


def _reason(record: TopicRecord) -> bytes:
    return record.headers.get("ringback_reason", b"")


def _is_original(record: TopicRecord) -> bool:
    return record.topic in {topics.FETCH.name, topics.FETCH_BULK.name} and not _reason(record)
