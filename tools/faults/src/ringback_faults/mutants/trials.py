"""Which installations the mutants need: one for each bug, and those of the rows without it. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from ringback_common.errors import ConfigError

from ringback_faults.mutants.mutant import Mutant, lightened
from ringback_faults.plan import batches
from ringback_faults.row import Row

__all__ = ["Trial", "trials"]


@dataclass(frozen=True, slots=True)
class Trial:
    """One installation: a planted bug and its row, or, without one, rows as they are."""

    mutant: Mutant | None
    rows: tuple[Row, ...]

    @property
    def name(self) -> str:
        """For people."""
        return "control" if self.mutant is None else self.mutant.mutant


def trials(mutants: Sequence[Mutant], rows: Mapping[str, Row]) -> list[Trial]:
    """The controls first, for they take longest, then each mutant.

    Raises:
        ConfigError: a mutant names a row that there is not, or two make one row lighter in different ways.
    """
    lighter = _lighter(mutants, rows)
    shared = batches([(name, 0) for name in lighter], lighter)
    controls = [Trial(None, tuple(lighter[name] for name in batch.rows)) for batch in shared]
    return [*controls, *(Trial(mutant, (_hasty(mutant, lighter[mutant.row]),)) for mutant in mutants)]


def _lighter(mutants: Iterable[Mutant], rows: Mapping[str, Row]) -> dict[str, Row]:
    lighter: dict[str, Row] = {}
    for mutant in mutants:
        if mutant.row not in rows:
            raise ConfigError(f"{mutant.mutant}: there is no row {mutant.row}")
        row = lightened(rows[mutant.row], mutant.load)
        if lighter.setdefault(row.row, row) != row:
            raise ConfigError(f"{mutant.mutant}: two mutants of {row.row} must have one load, for they share a control")
    return lighter


def _hasty(mutant: Mutant, row: Row) -> Row:
    """The same row, which gives up earlier on what the bug has lost: that it never drained proves nothing then.

    Its evidence has to be there, but not as often: a bug that drops work meets the fault less often, too.
    """
    expect = row.expect.model_copy(
        update={
            "standstill_seconds": mutant.drain_seconds,
            "evidence": {name: min(least, 1) for name, least in row.expect.evidence.items()},
        }
    )
    return row.model_copy(update={"expect": expect})
