"""`ringback-faults run`: rows, on lanes, shown live, judged, written down, and resumed if it was interrupted."""

import dataclasses
import secrets
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console
from ringback_common.errors import ConfigError

from ringback_faults.actions import check_steps
from ringback_faults.lanes import Lanes
from ringback_faults.machine import commit, machine
from ringback_faults.plan import a_third, draw_plan
from ringback_faults.progress import Progress
from ringback_faults.result import Result, Run, read_run, write_run
from ringback_faults.row import DEMO, Row, read_rows
from ringback_faults.scorecard import announcement, show
from ringback_faults.worlds import read_world

__all__ = ["RunOptions", "begun", "run", "wanted_rows"]

_SEEDS = 3
_SEED_BELOW = 1_000_000


@dataclass(frozen=True, slots=True)
class RunOptions:
    """What to run.

    Attributes:
        folder: tests/fault: `rows` and, unless `worlds` says otherwise, `worlds` are in it.
        names: rows wanted; empty is all.
        draw: only the third that this hash draws.
        world: only rows of this world.
        seeds: instead of three fresh ones.
        worlds: where the kinds of installation are.
        lanes: installations at a time.
        long: the long form of each row that has one.
        overlay: packages that the services import instead of the installed ones.
        json: where the run is written after every row; with `resume`, what is there already is not run again.
    """

    folder: Path
    worlds: Path
    names: Sequence[str]
    draw: str | None
    world: str | None
    seeds: Sequence[int]
    lanes: int
    long: bool
    overlay: Path | None
    json: Path
    resume: bool


async def run(options: RunOptions, console: Console) -> int:
    """Run it; 0 if every row is clean and has its evidence, else 1.

    Raises:
        ConfigError: a row's or a world's file is wrong, or a name is unknown.
    """
    rows = {row.row: row for row in wanted_rows(options)}
    under_way = begun(options, list(rows.values()))
    console.print(announcement(under_way, options.draw), highlight=False, soft_wrap=True)
    book = _Book(options.json, under_way)
    with Progress(console, rows, under_way) as progress:

        def reported(result: Result) -> None:
            book.enter(result)
            progress.finished(result)

        lanes = Lanes(rows, _passed_on(options), options.lanes, reported, progress.reached)
        await lanes.run(under_way.left)
    show(console, book.run)
    return 0 if book.run.clean else 1


def wanted_rows(options: RunOptions) -> list[Row]:
    """The rows asked for, in the form asked for, their steps and worlds checked; raises ConfigError.

    A long run without names is of the rows that have a long form: of the others it would learn nothing new.
    """
    every = read_rows(options.folder / "rows")
    if unknown := set(options.names) - {row.row for row in every}:
        raise ConfigError(f"there is no row {min(unknown)}; there are {', '.join(row.row for row in every)}")
    usual = [row for row in every if row.long is not None or not options.long]
    rows = [row for row in every if row.row in options.names] if options.names else usual
    rows = [row.at_length() if options.long else row for row in rows if options.world in {None, row.world}]
    if options.draw:  # CI runs the demo's row as a step of its own
        rows = a_third([row for row in rows if row.row != DEMO], options.draw)
    for row in rows:
        check_steps(row)
        read_world(options.worlds, row.world)
    return rows


class _Book:
    """The run so far, on disk after every row."""

    def __init__(self, file: Path, run: Run) -> None:
        self.run = run
        self._file = file
        self._before = run.took
        self._since = time.monotonic()
        write_run(file, run)

    def enter(self, result: Result) -> None:
        took = self._before + time.monotonic() - self._since
        self.run = dataclasses.replace(self.run, results=(*self.run.results, result), took=took)
        write_run(self._file, self.run)


def begun(options: RunOptions, rows: Sequence[Row]) -> Run:
    """The run that is in the file, if it is the one that is asked for and not finished; else a new one."""
    here = commit()
    if options.resume:
        earlier = read_run(options.json, Run)
        same = {row.row for row in rows}
        if earlier and earlier.left and earlier.commit == here and {name for name, _ in earlier.plan} == same:
            return earlier
    seeds = options.seeds or [next(_fresh()) for _ in range(_SEEDS)]
    plan = draw_plan(rows, seeds, _fresh())
    started = datetime.now(UTC).isoformat(timespec="seconds")
    return Run(started, here, options.long, tuple(plan), machine(), seeds=tuple(seeds))


def _fresh() -> Iterator[int]:
    while True:
        yield secrets.randbelow(_SEED_BELOW)


def _passed_on(options: RunOptions) -> list[str]:
    arguments = ["--folder", str(options.folder), "--worlds", str(options.worlds)]
    arguments += ["--long"] if options.long else []
    return arguments + (["--overlay", str(options.overlay)] if options.overlay else [])
