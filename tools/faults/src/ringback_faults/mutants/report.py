"""What became of the planted bugs: values that go to JSON and back."""

from collections.abc import Mapping
from dataclasses import dataclass

from ringback_faults.mutants.mutant import Mutant
from ringback_faults.result import Result

__all__ = ["MutantsRun", "Outcome", "outcome_of"]


@dataclass(frozen=True, slots=True)
class Outcome:
    """One planted bug.

    Attributes:
        wanted: the invariants and figures of which one has to be broken, or too high.
        by: those of them that are.
        seconds: until it was judged, the opening of its world included.
        result: of the row that it was planted in.
    """

    mutant: str
    bug: str
    wanted: tuple[str, ...]
    by: tuple[str, ...]
    seconds: float
    result: Result

    @property
    def word(self) -> str:
        """What it was caught by, or why it was not: without evidence of the fault nothing is proven."""
        verdict = self.result.verdict
        if self.result.error or verdict is None:
            return "NOT JUDGED"
        if verdict.missing:
            return "NO EVIDENCE"
        return f"caught by {', '.join(self.by)}" if self.by else "NOT CAUGHT"

    @property
    def caught(self) -> bool:
        """Judged with evidence, and red where it has to be."""
        return self.word.startswith("caught")


@dataclass(frozen=True, slots=True)
class MutantsRun:
    """All planted bugs, and the rows they were planted in without them.

    Attributes:
        commit: of the tree; "+" behind it if there were changes on top.
        took: seconds on the clock.
        controlled: whether the rows were run without the bugs, too.
    """

    started: str
    commit: str
    seed: int
    took: float
    outcomes: tuple[Outcome, ...]
    controls: tuple[Result, ...]
    controlled: bool = True

    @property
    def clean(self) -> bool:
        """Every bug is caught, and every row is green without it, unless that was not asked."""
        if not all(each.caught for each in self.outcomes) or not all(control.clean for control in self.controls):
            return False
        rows = {each.result.row for each in self.outcomes}
        return not self.controlled or rows <= {control.row for control in self.controls}


def outcome_of(mutant: Mutant, result: Result, seconds: float) -> Outcome:
    """Whether the row's verdict shows the bug."""
    verdict = result.verdict
    anomalies: Mapping[str, int] = {} if verdict is None else verdict.anomalies
    evidence: Mapping[str, float] = {} if verdict is None else verdict.evidence
    broken = (name for name in mutant.caught_by if anomalies.get(name))
    exceeded = (name for name, most in mutant.exceeds.items() if evidence.get(name, most) > most)
    wanted = (*mutant.caught_by, *mutant.exceeds)
    return Outcome(mutant.mutant, mutant.bug, wanted, (*broken, *exceeded), seconds, result)
