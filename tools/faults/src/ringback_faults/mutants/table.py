"""The table of the planted bugs, for people."""

from collections.abc import Mapping

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from ringback_faults.mutants.report import MutantsRun, Outcome
from ringback_faults.result import Result

__all__ = ["line", "show"]


def line(outcome: Outcome) -> str:
    """One bug in one line, as soon as it is judged."""
    return f"{outcome.mutant}  {outcome.result.row}  {outcome.seconds:.0f} s  {outcome.word}"


def show(console: Console, run: MutantsRun) -> None:
    """Print the table, what is known of each bug that was not caught and of each row that is red without one."""
    console.print(_table(run))
    for outcome in run.outcomes:
        if not outcome.caught:
            _explain(console, outcome)
    for control in run.controls:
        if not control.clean:
            _explain_control(console, control)
    caught = sum(outcome.caught for outcome in run.outcomes)
    console.print(
        f"{caught} of {len(run.outcomes)} planted bugs caught, {_without(run)},"
        f" in {run.took / 60:.1f} min. Seed {run.seed}, commit {run.commit}.",
        highlight=False,
    )


def _without(run: MutantsRun) -> str:
    if not run.controlled:
        return "their rows not run without them"
    green = sum(control.clean for control in run.controls)
    return f"{green} of {len(run.controls)} rows green without them"


def _table(run: MutantsRun) -> Table:
    table = Table(title="Planted bugs", title_justify="left")
    table.add_column("")
    table.add_column("bug", max_width=60)
    table.add_column("row")
    table.add_column("fault", max_width=50)
    table.add_column("caught by")
    table.add_column("s", justify="right")
    for outcome in run.outcomes:
        colour = "green" if outcome.caught else "red"
        by = f"[{colour}]{outcome.word.removeprefix('caught by ')}[/]"
        table.add_row(
            outcome.mutant,
            escape(outcome.bug),
            outcome.result.row,
            escape(outcome.result.fault),
            by,
            f"{outcome.seconds:.0f}",
        )
    return table


def _explain(console: Console, outcome: Outcome) -> None:
    verdict = outcome.result.verdict
    anomalies: Mapping[str, int] = {} if verdict is None else verdict.anomalies
    broken = ", ".join(f"{name} {count:,}" for name, count in anomalies.items() if count) or "nothing"
    wanted = " or ".join(outcome.wanted)
    console.print(f"\n[red bold]{outcome.mutant}[/] wanted {wanted}; {broken} is broken", highlight=False)
    _tell(console, outcome.result)


def _explain_control(console: Console, control: Result) -> None:
    console.print(f"\n[red bold]{control.row}[/] is not clean without any bug", highlight=False)
    _tell(console, control)


def _tell(console: Console, result: Result) -> None:
    said = () if result.verdict is None else result.verdict.sentences
    for sentence in filter(None, (*said, result.error)):
        console.print(f"  - {escape(sentence)}", highlight=False, soft_wrap=True)
