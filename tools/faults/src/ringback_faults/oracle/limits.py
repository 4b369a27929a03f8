"""Records at the limit: what is exactly as large as may be is served like any other, what has a byte more is not. Pure.

An act `limit records` names the calls of either kind in its detail, `calls_at` and `calls_above`, parted by spaces.
"""

from collections.abc import Iterable, Iterator, Mapping
from math import inf

from ringback_events import topics

from ringback_faults.ledgers import Key, Ledgers
from ringback_faults.oracle.index import Index, reason_of

__all__ = ["LIMIT", "limit_figures"]

LIMIT = "limit records"
_PUBLISHED = frozenset({topics.RECORDS.name, topics.SESSIONS.name, topics.CALLS.name})
_REASON = "too_large"


def limit_figures(ledgers: Ledgers, index: Index) -> Mapping[str, float]:
    """What a row bounds; {} where no record was at the limit.

    `limit_lacking` are the calls at the limit that do not stand on all three topics and in the store, `limit_kept`
    those above it that are no dead letter for their size, and `limit_passed` those above it of which anything was
    published or stored. `limit_across_kill`, of which a row demands some, are calls at the limit that were accepted and
    asked for before a death, and settled after it: published, or refused.
    """
    if not any(act.what == LIMIT for act in ledgers.acts):
        return {}
    whole, above = list(_named("calls_at", ledgers)), list(_named("calls_above", ledgers))
    return {
        "limit_lacking": _count(_topics(key, index) != _PUBLISHED or key not in ledgers.calls for key in whole),
        "limit_kept": _count(_REASON not in map(reason_of, index.letters.get(key, ())) for key in above),
        "limit_across_kill": _count(_was_struck(key, ledgers, index) for key in whole),
        "limit_passed": _count(bool(_topics(key, index)) or key in ledgers.calls for key in above),
    }


def _was_struck(key: Key, ledgers: Ledgers, index: Index) -> bool:
    """Whether a process that was killed had it in hand."""
    accepted = min((end for item, _, end in index.accepted if item.key == key), default=inf)
    asked = min((one.at for one in ledgers.requests if (one.tenant_id, one.call_id) == key), default=inf)
    settled = [record.at for by_call in (index.published, index.letters) for record in by_call.get(key, ())]
    first = min(settled, default=-inf)
    return any(act.what == "kill" and max(accepted, asked) < act.at < first for act in ledgers.acts)


def _count(marks: Iterable[bool]) -> float:
    return float(sum(marks))


def _named(kind: str, ledgers: Ledgers) -> Iterator[Key]:
    acts = (act for act in ledgers.acts if act.what == LIMIT)
    named = {call for act in acts for call in str(act.detail[kind]).split()}
    return (key for key in ledgers.expected if key[1] in named)


def _topics(key: Key, index: Index) -> frozenset[str]:
    return frozenset(record.topic for record in index.published.get(key, ()))
