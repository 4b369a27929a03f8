"""The verdict on a row: every invariant over all its ledgers. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import chain

from ringback_faults.ledgers import Ledgers
from ringback_faults.oracle import (
    attempts,
    behind,
    beside,
    bounds,
    conservation,
    durable_ack,
    evidence,
    faithfulness,
    latency,
    log_ends,
    neighbours,
    newest,
    offset_safety,
    poison,
    politeness,
    read_after_notify,
    recovery,
    regressions,
    uniqueness,
    wholeness,
)
from ringback_faults.oracle.effects import Effects, effects_of
from ringback_faults.oracle.index import Index, index_of
from ringback_faults.report import INVARIANTS, Verdict
from ringback_faults.row import Expect

__all__ = ["check"]

_FINDINGS_SHOWN = 5
"""Findings shown of each invariant; all are counted."""
_MIB = 1024 * 1024
_NEIGHBOURS = (neighbours.neighbour_figures, behind.behind_figures, beside.beside_figures)


def check(ledgers: Ledgers, expect: Expect, judged: Sequence[str]) -> Verdict:
    """Judge a row.

    Args:
        ledgers: what happened.
        expect: what may be.
        judged: the invariants the row is there for. All others are counted, too; but a row is no evidence for one of
            these if nothing was there to be judged by it.
    """
    index = index_of(ledgers)
    effects = effects_of(index)
    found = {name: tuple(sentences) for name, sentences in _anomalies(ledgers, index, effects, expect).items()}
    seen = evidence.evidence_of(ledgers, index)
    return Verdict(
        anomalies={name: len(sentences) for name, sentences in found.items()},
        findings=tuple(
            f"{name}: {sentence}" for name, reported in found.items() for sentence in reported[:_FINDINGS_SHOWN]
        ),
        figures=_figures(ledgers, index, effects),
        evidence=seen,
        missing=(*evidence.lacking(seen, expect.evidence), *_vacuous(ledgers, index, judged)),
        excess=tuple(evidence.excessive(seen, expect.at_most)),
    )


def _anomalies(ledgers: Ledgers, index: Index, effects: Effects, expect: Expect) -> Mapping[str, Iterable[str]]:
    letters = expect.dead_letters
    found: dict[str, Iterable[str]] = {
        "I1": durable_ack.missing_items(ledgers, index),
        "I2": chain(conservation.lost_items(ledgers, index), conservation.lost_records(ledgers, index, effects)),
        "I3": chain(
            uniqueness.surplus_rows(ledgers, index),
            uniqueness.surplus_events(ledgers, index, expect.repeats),
            durable_ack.unexplained_records(ledgers, index),
        ),
        "I4": newest.stale_calls(ledgers, index),
        "I5": chain(
            regressions.lowered_rows(ledgers),
            regressions.inversions(ledgers, index),
            regressions.misplaced(ledgers, index),
        ),
        "I6": chain(
            poison.missing_letters(ledgers, index, letters),
            poison.surplus_letters(ledgers, index, letters),
            poison.garbled_letters(ledgers),
        ),
        "I7": chain(
            bounds.unbounded(ledgers, expect.rss_mib),
            attempts.endless_tries(ledgers, index),
            attempts.endless_deferrals(ledgers, index),
        ),
        "I8": chain(politeness.impolite(ledgers), politeness.over_limits(ledgers)),
        "I9": chain(recovery.unrecovered(ledgers, effects, expect), recovery.unexpected_ends(ledgers, expect)),
        "I10": latency.slow_answers(ledgers, expect),
        "I11": ledgers.leaks,
        "I12": chain(offset_safety.early_commits(ledgers, index, effects), log_ends.commits_back(ledgers, index)),
        "I13": chain(
            wholeness.cut_records(ledgers),
            wholeness.cut_calls(ledgers),
            wholeness.cut_events(ledgers, index),
            faithfulness.unfaithful_events(ledgers, index),
            faithfulness.unfaithful_rows(ledgers),
        ),
        "I14": read_after_notify.unread_items(ledgers, index),
        "I15": chain(
            neighbours.waiting_neighbours(ledgers, index, expect),
            behind.held_back(ledgers, index),
            beside.slowed_down(ledgers, index),
        ),
    }
    return {name: found[name] for name in INVARIANTS}


def _figures(ledgers: Ledgers, index: Index, effects: Effects) -> dict[str, float]:
    memory: dict[str, float] = {}
    for sample in ledgers.samples:
        name = f"rss_mib_{sample.process}"
        memory[name] = max(memory.get(name, 0.0), sample.rss / _MIB)
    return {
        "recovery_seconds": recovery.recovery_seconds(ledgers, effects),
        "drained_seconds": (ledgers.drained or ledgers.faulted) - ledgers.faulted,
        "repeats": float(sum(1 for _ in uniqueness.repeats(ledgers, index))),
        **latency.latency_figures(ledgers),
        **neighbours.neighbour_figures(ledgers, index),
        **behind.behind_figures(ledgers, index),
        **beside.beside_figures(ledgers, index),
        **memory,
    }


def _vacuous(ledgers: Ledgers, index: Index, judged: Iterable[str]) -> Iterable[str]:
    reported = [sample for sample in ledgers.samples if bounds.tells_keys(sample)]
    served = any(reported(ledgers, index) for reported in _NEIGHBOURS)
    present = {
        "I1": index.accepted, "I2": index.accepted, "I3": index.published, "I4": ledgers.calls, "I5": ledgers.writes,
        "I7": reported, "I8": ledgers.requests, "I10": ledgers.posts, "I11": ledgers.searched, "I12": ledgers.commits,
        "I13": ledgers.calls, "I14": index.accepted, "I15": served,
    }  # fmt: skip
    for name in judged:
        if name in present and not present[name]:
            yield f"Nothing was there to be judged by {name}."
