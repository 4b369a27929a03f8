"""I15 behind a backlog: who lies behind a sick tenant's requests in their partition is served as ever. Pure.

An act `calm` is a time in which nothing was wrong, an act `backlog` one in which the requests of the tenant that its
detail names as `sick` lay ahead. Neighbours are the requests of all other tenants that came meanwhile: in the live
lane, timed from their acceptance to the store; in a retry lane, for calls that Graph did not know at first, timed from
the moment at which they were due. And meanwhile the enricher keeps no request in hand for much longer than 5 s: what it
keeps, a crash repeats, with all that was finished behind it.
"""

from collections.abc import Iterator, Mapping, Sequence
from math import inf

from ringback_events import topics

from ringback_faults.ledgers import Act, Key, Ledgers, TopicRecord
from ringback_faults.oracle.effects import due_of
from ringback_faults.oracle.index import RETRIES, Index
from ringback_faults.oracle.latency import quantile
from ringback_faults.oracle.politeness import most_of_budget

__all__ = ["BACKLOG", "CALM", "ahead_of", "behind_figures", "held_back"]

BACKLOG, CALM = "backlog", "calm"
_LEAST_ALLOWED, _TIMES_ALLOWED = 1.0, 2.0
"""Seconds that p99 may always be, and times its baseline."""
_IN_HAND_ALLOWED = 10.0
"""Twice the seconds after which a request leaves: the gauge is written once a second, on a machine that is busy."""
_NOT_FOUND = 404
_LANES = ("live", "retry")


def behind_figures(ledgers: Ledgers, index: Index) -> Mapping[str, float]:
    """Neighbours of each lane, behind the backlog and in the calm, and p99 of their seconds; {} without a backlog."""
    if not any(act.what == BACKLOG for act in ledgers.acts):
        return {}
    waits = {(lane, what): _waits(lane, what, ledgers, index) for lane in _LANES for what in (CALM, BACKLOG)}
    counts = {f"neighbours_{lane}_{what}": float(len(found)) for (lane, what), found in waits.items()}
    p99 = {f"p99_{lane}_{what}": quantile(found, 0.99) for (lane, what), found in waits.items()}
    return {**counts, **p99, "longest_in_hand_seconds": _longest_in_hand(ledgers)}


def held_back(ledgers: Ledgers, index: Index) -> Iterator[str]:
    """A sentence for each lane whose p99 is above what it may be, and for each with nothing to compare."""
    figures = behind_figures(ledgers, index)
    longest = figures.get("longest_in_hand_seconds", 0.0)
    if longest > _IN_HAND_ALLOWED:
        yield f"a request was in hand for {longest:.0f} s, {_IN_HAND_ALLOWED:.0f} s may be"
    for lane in _LANES if figures else ():
        if not (figures[f"neighbours_{lane}_{CALM}"] and figures[f"neighbours_{lane}_{BACKLOG}"]):
            yield f"there was no neighbour in the {lane} lane, before the backlog or behind it"
        p99, baseline = figures[f"p99_{lane}_{BACKLOG}"], figures[f"p99_{lane}_{CALM}"]
        allowed = max(_LEAST_ALLOWED, _TIMES_ALLOWED * baseline)
        if p99 > allowed:
            yield f"p99 of the neighbours behind the backlog in the {lane} lane is {p99:.2f} s, {allowed:.2f} s may be"


def ahead_of(ledgers: Ledgers) -> Mapping[str, float]:
    """The evidence; {} without a backlog.

    `ahead_live` and `ahead_retry` of the backlog stood before the first neighbour in its own partition, on the live
    lane and on the retry lane; `most_of_budget` is the share of its budget that the sick tenant used in that time.
    """
    figures: dict[str, float] = {}
    for act in (act for act in ledgers.acts if act.what == BACKLOG):
        figures["ahead_live"] = float(_ahead(act, topics.FETCH.name, ledgers))
        figures["ahead_retry"] = float(_ahead(act, topics.FETCH_RETRY_2M.name, ledgers))
        figures["most_of_budget"] = most_of_budget(str(act.detail["sick"]), act.at, act.end, ledgers)
    return figures


def _ahead(act: Act, topic: str, ledgers: Ledgers) -> int:
    """Counted from the moment at which the enricher was held still: nothing of that can have been done yet."""
    since = act.at - float(act.detail["held"])
    lane = [record for record in ledgers.records if record.topic == topic and record.at >= since]
    others = (record for record in lane if record.at >= act.at and not _is_sick(record, act))
    first = min(others, key=lambda record: record.at, default=None)
    return 0 if first is None else sum(_is_sick(one, act) and _stands_before(one, first) for one in lane)


def _longest_in_hand(ledgers: Ledgers) -> float:
    """By the enricher's own gauge, while the backlog lay ahead."""
    acts = [act for act in ledgers.acts if act.what == BACKLOG]
    meanwhile = (one for one in ledgers.samples if any(act.at <= one.at <= act.end for act in acts))
    gauges = (gauge for sample in meanwhile if sample.process == "enricher" for gauge in sample.gauges.items())
    return max((value for name, value in gauges if name.startswith("ringback_stream_oldest_in_hand")), default=0.0)


def _is_sick(record: TopicRecord, act: Act) -> bool:
    return record.key is not None and record.key[0] == act.detail["sick"]


def _stands_before(one: TopicRecord, other: TopicRecord) -> bool:
    return one.partition == other.partition and one.offset < other.offset


def _waits(lane: str, what: str, ledgers: Ledgers, index: Index) -> Sequence[float]:
    """Seconds of each neighbour of that time, in ascending order."""
    found = _live if lane == "live" else _retried
    acts = [act for act in ledgers.acts if act.what == what]
    return sorted(wait for act in acts for wait in found(act, ledgers, index))


def _live(act: Act, ledgers: Ledgers, index: Index) -> Iterator[float]:
    """Whatever Ringback did with them; only what Graph did not know at first has to wait for its tier."""
    unknown = {(one.tenant_id, one.call_id) for one in ledgers.requests if one.status == _NOT_FOUND}
    for item, _, accepted in index.accepted:
        if act.at <= accepted <= act.end and item.key[0] != act.detail["sick"] and item.key not in unknown:
            yield max(0.0, _stored_at(item.key, ledgers, index) - accepted)


def _retried(act: Act, ledgers: Ledgers, index: Index) -> Iterator[float]:
    for key, requests in index.lanes.items():
        due = min((due_of(one) for one in requests if _is_not_found(one)), default=inf)
        if act.at <= due <= act.end and key[0] != act.detail["sick"]:
            yield max(0.0, _stored_at(key, ledgers, index) - due)


def _is_not_found(record: TopicRecord) -> bool:
    return record.topic in RETRIES and record.headers.get("ringback_reason") == b"not_found"


def _stored_at(key: Key, ledgers: Ledgers, index: Index) -> float:
    """When the call stood; the end of all work if it never did, which is I2's business."""
    rows = index.history.get(key, ())
    return min((row.first_stored_at for row in rows), default=ledgers.drained or ledgers.faulted)
