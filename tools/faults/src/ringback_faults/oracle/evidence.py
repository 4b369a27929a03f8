"""What proves that the faults of a row really happened, and how much; read off the ledgers. Pure."""

from collections import Counter
from collections.abc import Iterator, Mapping
from itertools import pairwise

from ringback_events import topics

from ringback_faults.ledgers import Act, Ledgers, Request
from ringback_faults.oracle.behind import ahead_of
from ringback_faults.oracle.beside import after_resets_of
from ringback_faults.oracle.growth import growth_of
from ringback_faults.oracle.index import ASIDES, DEAD_LETTERS, ENRICHER, LANES, RETRIES, SINK, Index
from ringback_faults.oracle.limits import limit_figures
from ringback_faults.oracle.log_ends import log_ends_of
from ringback_faults.oracle.members import members_of
from ringback_faults.oracle.oddities import oddities_of
from ringback_faults.oracle.strikes import strikes_of
from ringback_faults.oracle.subscriptions import subscriptions_of
from ringback_faults.oracle.uniqueness import unfinished_at
from ringback_faults.pairs import service_of

__all__ = ["evidence_of", "excessive", "lacking", "work_held"]

_INTERRUPTING = frozenset({"kill", "point", "freeze", "terminate"})
_MOMENT = 0.02
_THROTTLED, _SERVER = 429, 500


def evidence_of(ledgers: Ledgers, index: Index) -> dict[str, float]:
    """Every figure there is; a row demands the least of some.

    Each kind of act is counted under its name, the numbers of its detail are summed under `<act>_<number>`.
    """
    return {
        **_acts(ledgers),
        **_sender(ledgers, index),
        **_graph(ledgers, index),
        **_kafka(ledgers),
        **growth_of(ledgers.samples),
        **strikes_of(ledgers),
        **ahead_of(ledgers),
        **after_resets_of(ledgers, index),
        **log_ends_of(ledgers, index),
        **limit_figures(ledgers, index),
        **members_of(ledgers.samples),
        **subscriptions_of(ledgers),
        **oddities_of(ledgers),
        **_holding(ledgers),
        "late_versions": float(_late_versions(index)),
        "most_sessions": float(max((call.children.sessions for call in ledgers.calls.values()), default=0)),
        "most_participants": float(max((call.children.participants for call in ledgers.calls.values()), default=0)),
        "versions_stored": float(len(ledgers.versions)),
        "calls_stored": float(len(ledgers.calls)),
        "older_stored_later": float(_older_later(index)),
    }


def lacking(evidence: Mapping[str, float], demanded: Mapping[str, float]) -> Iterator[str]:
    """A sentence for each figure below what the row demands."""
    for name, least in demanded.items():
        if evidence.get(name, 0.0) < least:
            yield f"No evidence: {name} is {evidence.get(name, 0.0):g}, the row demands {least:g}."


def excessive(evidence: Mapping[str, float], allowed: Mapping[str, float]) -> Iterator[str]:
    """A sentence for each figure above what the row allows, and for each that there is none of."""
    for name, most in allowed.items():
        if name not in evidence:
            yield f"No figure is called {name}, which the row bounds."
        elif evidence[name] > most:
            yield f"Too much: {name} is {evidence[name]:g}, the row allows {most:g}."


def _acts(ledgers: Ledgers) -> dict[str, float]:
    figures: Counter[str] = Counter()
    for act in ledgers.acts:
        name = act.what.replace(" ", "_")
        figures[name] += 1
        for detail, value in act.detail.items():
            if isinstance(value, (int, float)):
                figures[f"{name}_{detail}"] += value  # pyright: ignore[reportArgumentType] - a Counter adds floats, too
    return {name: float(value) for name, value in figures.items()}


def _sender(ledgers: Ledgers, index: Index) -> dict[str, float]:
    statuses = Counter(post.status for post in ledgers.posts)
    items = Counter((item.key, item.version) for item, _, _ in index.accepted)
    planted = Counter(item.planted for post in ledgers.posts if post.accepted for item in post.items)
    return {
        "posts": float(len(ledgers.posts)),
        "items_accepted": float(len(index.accepted)),
        "unknown_posts": float(statuses[None]),
        "refused_posts": float(statuses[503]),
        "repeated_posts": float(sum(post.attempt > 1 for post in ledgers.posts)),
        "duplicates": float(sum(times - 1 for times in items.values())),
        "forged": float(planted["forgedClientState"]),
    }


def _graph(ledgers: Ledgers, index: Index) -> dict[str, float]:
    statuses = Counter(request.status for request in ledgers.requests if request.route != "token")
    tokens = [request for request in ledgers.requests if request.route == "token"]
    return {
        "requests": float(sum(statuses.values())),
        "throttled": float(statuses[_THROTTLED]),
        "served_200": float(statuses[200]),
        "served_404": float(statuses[404]),
        "served_403": float(statuses[403]),
        "served_401": float(statuses[401]),
        "served_5xx": float(sum(times for status, times in statuses.items() if status >= _SERVER)),
        "unanswered": float(statuses[0]),
        "struck": float(sum(request.fault is not None for request in ledgers.requests)),
        "tokens": float(len(tokens)),
        "tokens_refused": float(sum(token.status != 200 for token in tokens)),  # noqa: PLR2004 - HTTP's OK
        "tokens_per_tenant_second": float(_most_tokens(tokens)),
        "pages": float(sum((request.page or 1) > 1 for request in ledgers.requests)),
        "rises_while_reading": float(sum(_rises(reads) for reads in _by_call(ledgers).values())),
        "reads_of_a_call": float(max((len(reads) for reads in index.reads.values()), default=0)),
        "versions_risen": float(sum(len({read.version for read in reads}) > 1 for reads in index.reads.values())),
    }


def _most_tokens(tokens: list[Request]) -> int:
    """The most that were asked for one tenant within a second, by the keeper and the enricher together."""
    return max(
        (sum(other.tenant_id == one.tenant_id and 0 <= one.at - other.at < 1 for other in tokens) for one in tokens),
        default=0,
    )


def _by_call(ledgers: Ledgers) -> dict[tuple[str, str | None], list[Request]]:
    calls: dict[tuple[str, str | None], list[Request]] = {}
    for request in sorted(ledgers.requests, key=lambda one: one.at):
        if request.version is not None:
            calls.setdefault((request.tenant_id, request.call_id), []).append(request)
    return calls


def _rises(reads: list[Request]) -> int:
    """How often the version was another one within one read: between two requests, the later of which begins none."""
    return sum(before.version != after.version and after.route != "record" for before, after in pairwise(reads))


def _kafka(ledgers: Ledgers) -> dict[str, float]:
    counts = Counter(record.topic for record in ledgers.records)
    generations = {(state.group, state.generation) for state in ledgers.generations}
    return {
        "rebalances": float(len(generations)),
        "dead_letters": float(sum(counts[name] for name in DEAD_LETTERS)),
        "deferred": float(sum(counts[name] for name in RETRIES | ASIDES)),
        "moved_to_bulk": float(counts[topics.FETCH_BULK.name]),
        "commits": float(len(ledgers.commits)),
    }


def _holding(ledgers: Ledgers) -> dict[str, float]:
    """Processes that were interrupted while they held work, all together and by service."""
    held = [service_of(act.target) for act in ledgers.acts if act.what in _INTERRUPTING and work_held(act, ledgers)]
    services = {f"kills_holding_work_{service}": float(times) for service, times in Counter(held).items()}
    return {"kills_holding_work": float(len(held)), **services}


def work_held(act: Act, ledgers: Ledgers) -> int:
    """What the process that was interrupted held: unanswered POSTs, or records above its group's commits."""
    service = service_of(act.target)
    if service == "webhook":
        own = (post for post in ledgers.posts if post.process == act.target)
        return sum(post.status is None and post.at <= act.at + _MOMENT and post.end >= act.at for post in own)
    group, names = (SINK, {topics.RECORDS.name}) if service == "store" else (ENRICHER, LANES)
    return unfinished_at(act.at, group, names, ledgers) if service in {"store", "enricher"} else 0


def _late_versions(index: Index) -> int:
    """Versions of calls that were accepted after another one of their call."""
    versions = {(item.key, item.version) for item, _, _ in index.accepted}
    return len(versions) - len({key for key, _ in versions})


def _older_later(index: Index) -> int:
    """Versions that were stored after a newer one of their call."""
    return sum(
        any(earlier.version > row.version for earlier in rows[:place])
        for rows in index.history.values()
        for place, row in enumerate(rows)
    )
