"""`ringback-faults mutants`: planted bugs, each against the row that has to see it, and the rows without them."""

import asyncio
import secrets
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import yaml
from rich.console import Console
from ringback_common.errors import ConfigError
from ringback_local.folders import scratch_folder

from ringback_faults.lanes import Lanes
from ringback_faults.machine import changed_since, commit
from ringback_faults.mutants.landing import choose, files_of
from ringback_faults.mutants.mutant import Mutant, read_mutants
from ringback_faults.mutants.overlay import lay
from ringback_faults.mutants.report import MutantsRun, Outcome, outcome_of
from ringback_faults.mutants.table import line, show
from ringback_faults.mutants.trials import Trial, trials
from ringback_faults.page import commit_of_planted_bugs
from ringback_faults.result import Result, write_run
from ringback_faults.row import read_rows

__all__ = ["MutantsOptions", "run_mutants"]

_SEED_BELOW = 1_000_000


@dataclass(frozen=True, slots=True)
class MutantsOptions:
    """What to plant.

    Attributes:
        root: of the repository.
        names: mutants wanted; empty is all.
        draw: of those whose files changed since the last whole run only the few that this hash draws.
        seed: instead of a fresh one.
        lanes: installations at a time.
        json: where the run is written at its end.
        controls: whether the rows are run without the bugs, too.
    """

    root: Path
    names: Sequence[str]
    draw: str | None
    seed: int | None
    lanes: int
    json: Path
    controls: bool = True

    @property
    def folder(self) -> Path:
        """Where rows, worlds and mutants are."""
        return self.root / "tests" / "fault"


async def run_mutants(options: MutantsOptions, console: Console) -> int:
    """Run them; 0 if every bug is caught and every row is green without it, else 1.

    Raises:
        ConfigError: a file is wrong, a patch does not fit the tree, or a name is unknown.
    """
    began, started = time.monotonic(), datetime.now(UTC).isoformat(timespec="seconds")
    seed = secrets.randbelow(_SEED_BELOW) if options.seed is None else options.seed
    wanted = _wanted(options, console)
    if not wanted:
        return 0
    planned = trials(wanted, {row.row: row for row in read_rows(options.folder / "rows")})
    console.print(f"Seed: {seed}", highlight=False)
    console.print(f"Repeat: {_repeat(options, wanted, seed)}", highlight=False, soft_wrap=True)
    with scratch_folder("mutants") as scratch:
        judge = _Judge(options, seed, scratch, console)
        prepared = judge.prepare([trial for trial in planned if options.controls or trial.mutant is not None])
        await judge.carry_out(prepared)
    outcomes = tuple(sorted(judge.outcomes, key=lambda each: int(each.mutant[1:])))
    took = time.monotonic() - began
    run = MutantsRun(started, commit(), seed, took, outcomes, tuple(judge.controls), options.controls)
    write_run(options.json, run)
    show(console, run)
    return 0 if run.clean else 1


def _wanted(options: MutantsOptions, console: Console) -> list[Mutant]:
    """Those named or, by `draw`, chosen; why these is printed."""
    every = read_mutants(options.folder / "mutants")
    if unknown := set(options.names) - {mutant.mutant for mutant in every}:
        raise ConfigError(f"there is no mutant {min(unknown)}; there are M1 to M{len(every)}")
    if options.draw is None:
        return [mutant for mutant in every if not options.names or mutant.mutant in options.names]
    since = commit_of_planted_bugs((options.root / "docs" / "reliability.md").read_text(encoding="utf-8"))
    chosen = choose(files_of(options.root), since, changed_since(since) if since else None, options.draw)
    console.print(chosen.why, highlight=False, soft_wrap=True)
    return [mutant for mutant in every if mutant.mutant in chosen.names]


def _repeat(options: MutantsOptions, wanted: Sequence[Mutant], seed: int) -> str:
    names = ",".join(mutant.mutant for mutant in wanted)
    return f"ringback-faults mutants --only {names} --seed {seed}{'' if options.controls else ' --bare'}"


class _Judge:
    """Carries trials out, so many at a time, and keeps what became of them."""

    def __init__(self, options: MutantsOptions, seed: int, scratch: Path, console: Console) -> None:
        self.outcomes: list[Outcome] = []
        self.controls: list[Result] = []
        self._options = options
        self._seed = seed
        self._scratch = scratch
        self._console = console

    def prepare(self, planned: Sequence[Trial]) -> list[tuple[Trial, Path]]:
        """Lay out every overlay and every row, each trial's in a folder, before any is run; raises ConfigError."""
        prepared = [(trial, self._scratch / str(number)) for number, trial in enumerate(planned)]
        for trial, folder in prepared:
            (folder / "rows").mkdir(parents=True)
            for row in trial.rows:
                (folder / "rows" / f"{row.row}.yaml").write_text(yaml.safe_dump(row.model_dump(mode="json")))
            if trial.mutant is not None:
                lay(trial.mutant, self._options.root, folder / "overlay")
        return prepared

    async def carry_out(self, prepared: Sequence[tuple[Trial, Path]]) -> None:
        """Run the trials, the first ones first."""
        free = asyncio.Semaphore(self._options.lanes)

        async def one(trial: Trial, folder: Path) -> None:
            async with free:
                await self._one(trial, folder)

        async with asyncio.TaskGroup() as group:
            for trial, folder in prepared:
                group.create_task(one(trial, folder))

    async def _one(self, trial: Trial, folder: Path) -> None:
        began = time.monotonic()

        def reported(result: Result) -> None:
            if trial.mutant is None:
                self.controls.append(result)
                self._say(f"control {result.row}  {result.seconds:.0f} s  {'clean' if result.clean else 'NOT CLEAN'}")
                return
            outcome = outcome_of(trial.mutant, result, time.monotonic() - began)
            self.outcomes.append(outcome)
            self._say(line(outcome))

        arguments = ["--folder", str(folder), "--worlds", str(self._options.folder / "worlds")]
        arguments += [] if trial.mutant is None else ["--overlay", str(folder / "overlay"), "--discard"]
        lanes = Lanes({row.row: row for row in trial.rows}, arguments, 1, reported, _unseen)
        await lanes.run([(row.row, self._seed) for row in trial.rows])

    def _say(self, words: str) -> None:
        self._console.print(words, highlight=False, markup=False, soft_wrap=True)


def _unseen(row: str, seed: int, stage: str) -> None:
    """Stages are not shown: a trial is one line."""
