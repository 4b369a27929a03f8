"""A planted bug as data: one YAML file in tests/fault/mutants. Pure but for reading the files."""

from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path, PurePosixPath
from typing import Annotated, Any

from pydantic import AfterValidator, Field, model_validator
from ringback_common.errors import ConfigError

from ringback_faults.report import INVARIANTS
from ringback_faults.row import Declared, Row, checked, declared

__all__ = ["Mutant", "Patch", "lightened", "read_mutant", "read_mutants"]


def _known(invariant: str) -> str:
    if invariant not in INVARIANTS:
        raise ValueError("no such invariant")
    return invariant


class Patch(Declared):
    """One text for another in one file of the product.

    Attributes:
        file: below the root of the repository, e.g. services/enricher/src/ringback_enricher/handlers.py.
        before: stands there exactly once. Its first line may begin in the middle of a line, so that it needs no
            indentation; further lines carry theirs.
        after: what stands there instead.
    """

    file: Annotated[str, Field(pattern=r"^(libs|services)/[a-z]+/src/ringback_[a-z]+/.+\.py$")]
    before: Annotated[str, Field(min_length=1)]
    after: str

    @property
    def package(self) -> PurePosixPath:
        """The folder of the package that the file belongs to."""
        return PurePosixPath(*PurePosixPath(self.file).parts[:4])


class Mutant(Declared):
    """A planted bug.

    Attributes:
        mutant: M1 to M32.
        bug: what it does wrong, in one sentence for people.
        why: what the ledgers show of it.
        patches: the bug itself.
        row: the row of the regular suite that has to see it.
        caught_by: the invariants of which at least one has to be broken then, most telling first.
        exceeds: figures that the row bounds by `at_most`, and these bounds: one that is above shows the bug as well.
            For bugs that break a rule of the product before anything is lost.
        load: members of the row's load that are smaller here, e.g. {"calls": 60}; applied to its control, too.
        drain_seconds: seconds after which what the bug has lost is no longer waited for.
    """

    mutant: Annotated[str, Field(pattern=r"^M[0-9]{1,2}$")]
    bug: str
    why: str
    patches: Annotated[tuple[Patch, ...], Field(min_length=1)]
    row: Annotated[str, Field(pattern=r"^R[0-9]{1,2}[a-z]?$")]
    caught_by: tuple[Annotated[str, AfterValidator(_known)], ...] = ()
    exceeds: Mapping[str, float] = Field(default_factory=dict)
    load: Mapping[str, Any] = Field(default_factory=dict)
    drain_seconds: Annotated[float, Field(gt=0)] = 12.0

    @model_validator(mode="after")
    def _is_caught_by_something(self) -> "Mutant":
        if not (self.caught_by or self.exceeds):
            raise ValueError("neither caught_by nor exceeds says what shows the bug")
        return self


def read_mutant(file: Path) -> Mutant:
    """One mutant; raises ConfigError as `declared`."""
    return declared(file, Mutant)


def read_mutants(folder: Path) -> list[Mutant]:
    """All mutants of a folder by number; raises ConfigError, also for a number that is given twice."""
    mutants = sorted((read_mutant(file) for file in folder.glob("*.yaml")), key=lambda each: int(each.mutant[1:]))
    for one, next_one in pairwise(mutants):
        if one.mutant == next_one.mutant:
            raise ConfigError(f"{one.mutant} is given twice")
    return mutants


def lightened(row: Row, load: Mapping[str, Any]) -> Row:
    """The row with members of its load replaced; raises ConfigError for a member that a load does not have."""
    reported = {**row.load.model_dump(), **load}
    return checked(Row, {**row.model_dump(), "load": reported}, f"load of {row.row}")
