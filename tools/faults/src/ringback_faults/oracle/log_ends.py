"""I12: no commit goes back, unless its log ended below what was committed; and what such logs came to. Pure.

Where the harness set a group's offset, the next commit may be below the last one, once for each time and partition. The
offsets of a topic that was made anew count on (`ledgers`), so there nothing goes back.
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
    """A sentence for each commit below the one before it that no offset set by the harness excuses."""
    sets = [act for act in ledgers.acts if act.what in _SET]
    for (group, topic, partition), commits in index.commits.items():
        excuses = [act.at for act in sets if act.detail.get("group") == group]
        for before, commit in _going_back(commits):
            excuse = next((at for at in excuses if at <= commit.at), None)
            if excuse is None:
                yield f"{group} went from {before.offset} back to {commit.offset} of {topic}/{partition}"
            else:
                excuses.remove(excuse)


def log_ends_of(ledgers: Ledgers, index: Index) -> dict[str, float]:
    """Figures: what became of logs that did not hold what was to be read.

    Commits that went back, events that were published again, accepted items whose request was removed; and the fewest
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
