"""I12: no offset was committed before everything below it had its effect. Pure."""

from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from itertools import accumulate

from ringback_faults.ledgers import Commit, Ledgers
from ringback_faults.oracle.effects import NEVER, Effects
from ringback_faults.oracle.index import ENRICHER, SINK, Index, Place

__all__ = ["early_commits"]

_GRACE = 0.05
"""Seconds: the effect's time and the commit's are read from the same clock by different threads and processes."""


def early_commits(ledgers: Ledgers, index: Index, effects: Effects) -> Iterator[str]:
    """A sentence for each record that a commit passed before its effect."""
    yield from _passed(ENRICHER, effects.lanes, ledgers, index)
    yield from _passed(SINK, effects.records, ledgers, index)


def _passed(group: str, effects: Mapping[Place, float], ledgers: Ledgers, index: Index) -> Iterator[str]:
    highest = {part: _Highest(commits) for part, commits in index.commits.items() if part[0] == group}
    for (topic, partition, offset), effect in effects.items():
        if offset < ledgers.starts.get((group, topic, partition), 0) or (group, topic, partition) not in highest:
            continue
        if (topic, partition, offset) in ledgers.removed:
            continue
        passed = highest[group, topic, partition].passed(offset)
        if effect > passed + _GRACE:
            came = "never came" if effect == NEVER else f"came {effect - passed:.3f} s later"
            yield f"{group} committed past {topic}/{partition}/{offset} at {passed:.3f}; its effect {came}"


class _Highest:
    """The first commit above an offset, found in the commits' running maximum."""

    def __init__(self, commits: Sequence[Commit]) -> None:
        self._commits = commits
        self._maxima = list(accumulate((commit.offset for commit in commits), max))

    def passed(self, offset: int) -> float:
        """When the offset was first below a commit; NEVER if it is not yet."""
        place = bisect_right(self._maxima, offset)
        return self._commits[place].at if place < len(self._commits) else NEVER
