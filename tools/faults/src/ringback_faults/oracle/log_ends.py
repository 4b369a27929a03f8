"""I12: a group's committed offset never goes back, unless the harness itself set it; and figures of such faults. Pure.

An act that sets a group's offsets says in its detail which group it was and when they were written. In each partition
the second of the two commits between which that moment lies may be below the first. The offsets of a topic that was
made anew count on (`ledgers`), so there nothing goes back.
"""

from collections.abc import Iterator, Sequence
from itertools import pairwise

from ringback_faults.ledgers import Commit, Ledgers
from ringback_faults.oracle.index import Index
from ringback_faults.oracle.items import is_removed
from ringback_faults.oracle.uniqueness import repeats

__all__ = ["commits_back", "log_ends_of"]

_SET = frozenset({"set offsets", "reset offsets"})


def commits_back(ledgers: Ledgers, index: Index) -> Iterator[str]:
    """A sentence for each commit below the one before it, unless the harness set the group's offset between the two."""
    sets = [act.detail for act in ledgers.acts if act.what in _SET]
    for (group, topic, partition), commits in index.commits.items():
        written = [float(detail["written"]) for detail in sets if detail["group"] == group]
        for before, commit in _going_back(commits):
            if not any(before.at <= moment < commit.at for moment in written):
                yield f"{group} went from {before.offset} back to {commit.offset} of {topic}/{partition}"


def log_ends_of(ledgers: Ledgers, index: Index) -> dict[str, float]:
    """Figures of a row that took records from topics or set offsets.

    How many commits went back, events were published again and accepted items had their request removed; and the fewest
    records that came to a topic after it was made anew for the last time.
    """
    removed = (is_removed(item, at, end, ledgers, index) for item, at, end in index.accepted)
    return {
        "commits_back": float(sum(len(list(_going_back(commits))) for commits in index.commits.values())),
        "published_again": float(sum(1 for _ in repeats(ledgers, index))),
        "removed_items": float(sum(removed)) if ledgers.removed else 0.0,
        "records_anew": float(min(_anew(ledgers), default=0)),
    }


def _anew(ledgers: Ledgers) -> Iterator[int]:
    made = {act.target: act.end for act in ledgers.acts if act.what == "make topic"}
    return (sum(one.topic == name and one.at >= since for one in ledgers.records) for name, since in made.items())


def _going_back(commits: Sequence[Commit]) -> Iterator[tuple[Commit, Commit]]:
    return ((before, after) for before, after in pairwise(commits) if after.offset < before.offset)
