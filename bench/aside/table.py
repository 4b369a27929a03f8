"""The table of a run."""

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from bench.aside.cases import Result
from bench.table import coloured

__all__ = ["cells", "show"]

_HEADINGS = (
    *("case", "requests", "served", "seconds", "writes a request", "of the quota"),
    *("RSS before", "RSS peak", "cores", "goal", "verdict"),
)
_WORDS = {"case", "goal", "verdict"}


def cells(result: Result) -> tuple[str, ...]:
    """The row of one case."""
    verdicts = result.verdicts
    return (
        *(result.case.words, f"{result.requests:,}", f"{result.served:,}", f"{result.seconds:,.1f}"),
        f"{result.writes:.4f}",
        "" if result.quota is None else f"{result.quota:.1%}",
        *(f"{result.before_mib:.0f} MiB", f"{result.peak_mib:.0f} MiB (+ {result.grown_mib:.0f})"),
        f"{result.cores:.2f}",
        "; ".join(one.goal.words for one in verdicts),
        "; ".join(one.said for one in verdicts),
    )


def show(console: Console, results: Sequence[Result]) -> None:
    """Print the table."""
    table = Table(title="What is put aside")
    for heading in _HEADINGS:
        table.add_column(heading, justify="left" if heading in _WORDS else "right", overflow="fold")
    for result in results:
        *facts, verdict = cells(result)
        table.add_row(*facts, coloured(verdict))
    console.print(table)
