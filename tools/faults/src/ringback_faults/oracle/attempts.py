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
_SILENT = 5
"""Calls of a tenant that fail one after the other before the enricher asks for one of them again, out of turn, to learn
whether Graph answers this tenant at all (ARCHITECTURE.md, silence)."""
_SERVER, _OK = 500, 200
_WINDOW, _MOST_FAILED = 20, 5
"""Graph is well while at most 5 of the last 20 reads failed. The circuit breaker opens when more than half of its last
20 failed, and no failure counts for a call while it is open. Reads, not requests: one read may send many."""


class _Read(NamedTuple):
    """One read of a call.

    Attributes:
        at: when its last request ended.
        failed: whether that request failed.
    """

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
            due = _IN_PLACE * taken_in * (1 + _interruptions(at, ledgers))
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
    """Reads that failed while Graph was well: it served others since the call's last failure, and the tenant lately."""
    last = deque[bool](maxlen=_WINDOW)
    served, served_before = 0, dict[Key, int]()
    failing: dict[str, set[Key]] = {}
    for read in sorted(_reads(requests), key=lambda one: one.at):
        of_tenant = failing.setdefault(read.key[0], set())
        if read.failed:
            others = served > served_before.get(read.key, -1)
            if others and sum(last) <= _MOST_FAILED and len(of_tenant) < _SILENT:
                yield read
            served_before[read.key] = served
            of_tenant.add(read.key)
        else:
            served += 1
            of_tenant.clear()
        last.append(read.failed)


def _reads(requests: Sequence[Request]) -> Iterator[_Read]:
    """Every read of a call, a request for the record and those that follow it until the next one or a failure."""
    open_reads: dict[Key, _Read] = {}
    for request in sorted(requests, key=lambda one: one.end):
        if not request.call_id:
            continue
        key = request.tenant_id, request.call_id
        earlier = open_reads.pop(key, None)
        if earlier is not None and request.route == "record":
            yield earlier
        read = _Read(key, request.end, failed=_is_failure(request))
        if read.failed:
            yield read
        else:
            open_reads[key] = read
    yield from open_reads.values()


def _is_failure(request: Request) -> bool:
    """No answer, a 5xx, or an answer of 200 that a fault of the simulator garbled or cut off."""
    return request.status == 0 or request.status >= _SERVER or (request.status == _OK and request.fault is not None)


def _interruptions(until: float, ledgers: Ledgers) -> int:
    acts = sum(act.what in REPEATING | {"terminate"} and act.at <= until for act in ledgers.acts)
    return acts + len({s.generation for s in ledgers.generations if s.group == ENRICHER and s.at <= until})


def _reason(record: TopicRecord) -> bytes:
    return record.headers.get("ringback_reason", b"")


def _is_original(record: TopicRecord) -> bool:
    return record.topic in {topics.FETCH.name, topics.FETCH_BULK.name} and not _reason(record)
