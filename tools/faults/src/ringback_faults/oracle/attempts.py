"""I7: no request is tried for ever. Pure.

Counted in the simulator's ledger and on the topics, held against the failure table of ARCHITECTURE.md: so many tries in
place, so many deferrals for each reason. A process that is interrupted, or hands over, may begin a count anew.
"""

from collections import Counter
from collections.abc import Iterator, Sequence

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
_SERVER, _OK = 500, 200
_WELL = 4
"""Other calls that Graph serves for one that it fails, while it is well."""


def endless_tries(ledgers: Ledgers, index: Index) -> Iterator[str]:
    """A sentence for each call that Graph failed, while it served others, more often than its requests were due."""
    failures: dict[Key, list[float]] = {}
    for failure in _lone_failures(ledgers.requests):
        failures.setdefault((failure.tenant_id, failure.call_id or ""), []).append(failure.at)
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


def _lone_failures(requests: Sequence[Request]) -> Iterator[Request]:
    """Failures of a call, the first and each since whose last one Graph served others, and failed hardly any."""
    served, failed, seen = 0, 0, dict[Key, tuple[int, int]]()
    for request in sorted(requests, key=lambda one: one.end):
        key = request.tenant_id, request.call_id or ""
        if request.call_id and (request.status >= _SERVER or request.status == 0):
            well, badly = seen.get(key, (-1, failed))
            if served - well > _WELL * (failed - badly):
                yield request
            failed += 1
            seen[key] = served, failed
        served += bool(request.call_id) and request.status == _OK


def _interruptions(until: float, ledgers: Ledgers) -> int:
    acts = sum(act.what in REPEATING | {"terminate"} and act.at <= until for act in ledgers.acts)
    return acts + len({s.generation for s in ledgers.generations if s.group == ENRICHER and s.at <= until})


def _reason(record: TopicRecord) -> bytes:
    return record.headers.get("ringback_reason", b"")


def _is_original(record: TopicRecord) -> bool:
    return record.topic in {topics.FETCH.name, topics.FETCH_BULK.name} and not _reason(record)
