"""What became of the planted bugs: values that go to JSON and back."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import orjson
from pydantic import TypeAdapter

from ringback_faults.mutants.mutant import Mutant
from ringback_faults.result import Result

__all__ = ["MutantsRun", "Outcome", "outcome_of", "read_report", "write_report"]


@dataclass(frozen=True, slots=True)
class Outcome:
    """One planted bug.

    Attributes:
        fault: of the row it was planted in.
        wanted: the invariants and figures of which one has to be broken, or too high.
        by: those of them that are.
        seconds: until it was judged, the opening of its world included.
        missing: the evidence of the fault that was not there: then nothing is proven, whatever is broken.
        error: why it could not be judged.
    """

    mutant: str
    bug: str
    row: str
    fault: str
    seed: int
    seconds: float
    wanted: tuple[str, ...]
    by: tuple[str, ...] = ()
    anomalies: Mapping[str, int] = field(default_factory=dict[str, int])
    findings: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    error: str = ""

    @property
    def caught(self) -> bool:
        """Judged with evidence, and red where it has to be."""
        return bool(self.by) and not self.missing and not self.error


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
        return not self.controlled or {each.row for each in self.outcomes} <= {control.row for control in self.controls}


def outcome_of(mutant: Mutant, result: Result, seconds: float) -> Outcome:
    """Whether the row's verdict shows the bug."""
    verdict = result.verdict
    anomalies = {} if verdict is None else {name: count for name, count in verdict.anomalies.items() if count}
    evidence: Mapping[str, float] = {} if verdict is None else verdict.evidence
    return Outcome(
        mutant=mutant.mutant,
        bug=mutant.bug,
        row=result.row,
        fault=result.fault,
        seed=result.seed,
        seconds=seconds,
        wanted=(*mutant.caught_by, *mutant.exceeds),
        by=(
            *(name for name in mutant.caught_by if name in anomalies),
            *(name for name, most in mutant.exceeds.items() if evidence.get(name, most) > most),
        ),
        anomalies=anomalies,
        findings=() if verdict is None else verdict.findings,
        missing=() if verdict is None else verdict.missing,
        error=result.error or ("" if verdict is not None else "no verdict"),
    )


def read_report(file: Path) -> MutantsRun | None:
    """The run of a file, None if there is none; raises ValidationError for another program's JSON."""
    return TypeAdapter(MutantsRun).validate_json(file.read_bytes()) if file.exists() else None


def write_report(file: Path, run: MutantsRun) -> None:
    """Put a run into a file, whole or not at all."""
    file.parent.mkdir(parents=True, exist_ok=True)
    part = file.with_suffix(".part")
    part.write_bytes(orjson.dumps(run, option=orjson.OPT_INDENT_2))
    part.replace(file)
