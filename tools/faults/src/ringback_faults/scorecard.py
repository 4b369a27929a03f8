"""What a run came to, for people: the scorecard, and each failure with all that is needed to look into it."""

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from ringback_faults.progress import word
from ringback_faults.report import INVARIANTS
from ringback_faults.result import Result, Run
from ringback_faults.row import place_of

__all__ = ["announcement", "repeat_command", "show"]


def show(console: Console, run: Run) -> None:
    """Print the table, the failures, and the last line."""
    console.print(_table(run))
    for result in run.results:
        if not result.clean:
            _explain(console, result, run)
    failed = sum(1 for result in run.results if not result.clean)
    ran = f"{len(run.results)} of {len(run.plan)} rows in {run.took / 60:.1f} min, {failed} not clean"
    console.print(f"{ran}. Commit {run.commit}.", highlight=False)


def repeat_command(result: Result, *, long: bool) -> str:
    """What runs this row again with the same draws."""
    return f"ringback-faults run --rows {result.row} --seed {result.seed}{' --long' if long else ''}"


def announcement(run: Run, draw: str | None) -> str:
    """What is about to run, and for a draw the command that runs the same rows with the same seeds again.

    It names the rows, so that it repeats the draw whatever else was asked for and however many rows there are by then.
    """
    reported = [f"Seeds: {', '.join(map(str, dict.fromkeys(seed for _, seed in run.plan)))}"]
    if draw is not None:
        rows = list(dict.fromkeys(name for name, _ in run.plan))
        seeds, long = ",".join(map(str, run.seeds)), " --long" if run.long else ""
        reported.append(f"Drawn by {draw}: {', '.join(rows)}")
        reported.append(f"Repeat: ringback-faults run --rows {','.join(rows)} --seed {seeds}{long}")
    return "\n".join(reported)


def _table(run: Run) -> Table:
    table = Table(title="Scorecard", title_justify="left")
    table.add_column("row")
    table.add_column("fault", max_width=60)
    for column in ("seed", "anomalies", "recovery s", "repeats"):
        table.add_column(column, justify="right")
    table.add_column("evidence", max_width=44)
    table.add_column("")
    for result in sorted(run.results, key=lambda result: (place_of(result.row), result.seed)):
        figures = [result.figure(name) if result.verdict else "?" for name in ("recovery_seconds", "repeats")]
        said = (result.broken, *figures, result.evidence, word(result))
        table.add_row(result.row, result.fault, str(result.seed), *said)
    return table


def _explain(console: Console, result: Result, run: Run) -> None:
    console.print(f"\n[red bold]{result.row}[/], seed {result.seed}: {escape(result.fault)}", highlight=False)
    if result.verdict is not None:
        for name, count in result.verdict.anomalies.items():
            if count:
                console.print(f"  {name} {INVARIANTS.get(name, '')}: {count:,}", highlight=False)
        for sentence in result.verdict.sentences:
            console.print(f"  - {escape(sentence)}", highlight=False, soft_wrap=True)
    if result.error:
        console.print(escape(result.error), highlight=False, soft_wrap=True)
    console.print(f"  logs:   {result.logs}", soft_wrap=True, highlight=False)
    console.print(f"  repeat: {repeat_command(result, long=run.long)}", soft_wrap=True, highlight=False)
