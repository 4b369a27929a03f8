"""Whether each fault struck what it was meant for: figures of the evidence that no act can make of itself. Pure."""

from collections.abc import Iterable, Iterator
from contextlib import suppress
from datetime import datetime

from ringback_events import topics

from ringback_faults.ledgers import Act, Ledgers, TopicRecord
from ringback_faults.oracle.effects import due_of
from ringback_faults.oracle.index import ENRICHER, LANES, SINK

__all__ = ["strikes_of"]

_UNDER_WAY = 1.5
"""Seconds for what was under way when a link was cut; after that nothing arrives that the cut should have kept."""
_WEBHOOK = b":webhook:"


def strikes_of(ledgers: Ledgers) -> dict[str, float]:
    """The figures.

    `graph_faults_idle` faults of Graph's struck no request, `cut_crossed` effects of a process fell into the time in
    which it was cut off from what they need, `terminate_slowest` is the longest that a process took to stop on SIGTERM,
    `freeze_bytes` the most that `restricted.records` grew by while a process was held still, `clock_error` the
    farthest a webhook's clock was off, `due_ahead` the longest time that a record was deferred for, both in seconds by
    the broker's time stamp.
    """
    ended = [float(act.detail.get("seconds", 0)) for act in ledgers.acts if act.what == "terminate"]
    return {
        "graph_faults_idle": float(len(list(_idle(ledgers)))),
        "cut_crossed": float(sum(len(list(_crossed(act, ledgers))) for act in ledgers.acts if act.what == "cut")),
        "terminate_slowest": max(ended, default=0.0),
        "freeze_bytes": max((_grown(act, ledgers) for act in ledgers.acts if act.what == "freeze"), default=0.0),
        "clock_error": max(map(abs, _clock_errors(ledgers.records)), default=0.0),
        "due_ahead": max((due_of(one) - one.at for one in ledgers.records if one.topic in LANES), default=0.0),
    }


def _idle(ledgers: Ledgers) -> Iterator[Act]:
    """A fault of the token endpoint tells itself how often it struck, for the ledger of tokens does not."""
    struck = {request.fault for request in ledgers.requests}
    for act in ledgers.acts:
        if act.what == "graph fault" and act.detail.get("fault") not in struck and not act.detail.get("fired"):
            yield act


def _crossed(cut: Act, ledgers: Ledgers) -> Iterable[float]:
    moments: dict[tuple[str, str], Iterable[float]] = {
        ("webhook", "broker"): (post.end for post in ledgers.posts if post.accepted and not post.lifecycle),
        ("enricher", "graph"): _appended(ledgers, topics.RECORDS.name),
        ("enricher", "broker"): (commit.at for commit in ledgers.commits if commit.group == ENRICHER),
        ("store", "database"): (write.at for write in ledgers.writes),
        ("store", "broker"): (commit.at for commit in ledgers.commits if commit.group.startswith(SINK)),
    }
    effects = moments[cut.target, str(cut.detail["peer"])]
    return [moment for moment in effects if cut.at + _UNDER_WAY < moment < cut.end]


def _appended(ledgers: Ledgers, name: str) -> Iterator[float]:
    return (record.at for record in ledgers.records if record.topic == name)


def _grown(freeze: Act, ledgers: Ledgers) -> float:
    records = (record for record in ledgers.records if record.topic == topics.RECORDS.name)
    return float(sum(record.size for record in records if freeze.at <= record.at <= freeze.end))


def _clock_errors(records: Iterable[TopicRecord]) -> Iterator[float]:
    """Of requests that a webhook wrote: `ce_id` is `<call>:webhook:<receivedAt>`."""
    for record in records:
        _, source, received = record.headers.get("ce_id", b"").partition(_WEBHOOK)
        if source and record.topic == topics.FETCH.name:
            with suppress(ValueError):  # poison may say anything
                yield datetime.fromisoformat(received.decode()).timestamp() - record.at
