"""The rows while they run: a live table on a terminal, a line per result elsewhere."""

import time
from collections.abc import Mapping
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.live import Live
from rich.table import Table

from ringback_faults.result import Result, Run
from ringback_faults.row import Row

__all__ = ["Progress", "word"]


def word(result: Result) -> str:
    """What a result is in one word, coloured."""
    if result.clean:
        return "[green]clean[/]"
    return "[red]FAILED[/]" if result.word == "failed" else f"[red]{result.word}[/]"


class Progress:
    """Shows where every row of a run stands; a context manager."""

    def __init__(self, console: Console, rows: Mapping[str, Row], run: Run) -> None:
        self._console = console
        self._rows = rows
        self._stages = dict.fromkeys(run.plan, "[dim]waiting[/]")
        self._since: dict[tuple[str, int], float] = {}
        self._took: dict[tuple[str, int], float] = {}
        self._live = Live(get_renderable=self._table, console=console, refresh_per_second=2, transient=True)
        for result in run.results:
            self._enter(result)

    def __enter__(self) -> Self:
        if self._console.is_terminal:
            self._live.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._live.stop()

    def reached(self, row: str, seed: int, stage: str) -> None:
        """A row has come to a stage."""
        self._stages[row, seed] = stage
        self._since.setdefault((row, seed), time.monotonic())

    def finished(self, result: Result) -> None:
        """A row has been judged."""
        self._enter(result)
        done = len(self._took)
        line = f"{done}/{len(self._stages)}  {result.row}  seed {result.seed}  {result.seconds:.0f} s  {word(result)}"
        self._console.print(line, highlight=False)

    def _enter(self, result: Result) -> None:
        self._stages[result.row, result.seed] = word(result)
        self._took[result.row, result.seed] = result.seconds

    def _table(self) -> Table:
        table = Table(title=f"{len(self._took)} of {len(self._stages)} rows", title_justify="left")
        for column in ("row", "fault", "world", "seed", "stage", "s"):
            table.add_column(column, no_wrap=True, max_width=70, justify="right" if column in {"seed", "s"} else "left")
        for (name, seed), stage in self._stages.items():
            row = self._rows[name]
            table.add_row(name, row.fault, row.world, str(seed), stage, self._seconds((name, seed)))
        return table

    def _seconds(self, entry: tuple[str, int]) -> str:
        if entry in self._took:
            return f"{self._took[entry]:.0f}"
        return f"{time.monotonic() - self._since[entry]:.0f}" if entry in self._since else ""
