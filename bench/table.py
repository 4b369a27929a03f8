"""The table of a run, once as cells, for the terminal and for the page alike."""

from collections.abc import Iterable, Sequence

from rich.console import Console
from rich.table import Table

from bench.figures import RINGBACK, Figures
from bench.goals import Verdict, verdicts
from bench.spread import Spread, Summary

__all__ = ["HEADINGS", "cells", "coloured", "show", "show_rounds"]

HEADINGS = (
    *("stage", "load", "contestant", "records/s", "CPU ms per 1,000", "RSS MiB"),
    *("PostgreSQL", "p50 ms", "p99 ms", "ratio", "per CPU", "goal", "verdict"),
)
_OF_ROUNDS = ("records/s", "the other's", "ratio", "CPU ms per 1,000", "the other's CPU", "per CPU")
_SMALL = 10.0
"""Below it two digits behind the point."""
_COLOURS = {"met": "green", "not met": "red", "not measured": "yellow"}


def cells(lines: Sequence[Figures]) -> list[tuple[str, ...]]:
    """One row a line; a line with several goals has them all in one cell. `PostgreSQL` is its CPU ms per 1,000."""
    judged = verdicts(lines)
    return [_row(line, [one for one in judged if _speaks_of(one, line)]) for line in lines]


def show(console: Console, lines: Sequence[Figures]) -> None:
    """Print the table."""
    table = Table(title="Ringback's bench")
    for heading in HEADINGS:
        numeric = heading not in {"stage", "load", "contestant", "goal", "verdict"}
        table.add_column(heading, justify="right" if numeric else "left", overflow="fold")
    for row in cells(lines):
        *facts, verdict = row
        table.add_row(*facts, coloured(verdict))
    console.print(table)


def show_rounds(console: Console, rounds: Sequence[Summary]) -> None:
    """Print what several rounds come to: median, and in brackets the least and the most."""
    table = Table(title="Medians of rounds (least to most)")
    for heading in ("stage", "load", "contestant", *_OF_ROUNDS):
        table.add_column(heading, justify="right" if heading in _OF_ROUNDS else "left", overflow="fold")
    for one in rounds:
        spreads = (one.rate, one.other_rate, one.ratio, one.cpu_ms, one.other_cpu_ms, one.cpu_ratio)
        table.add_row(*one.place, *map(_spread, spreads))
    console.print(table)


def _spread(spread: Spread | None) -> str:
    if spread is None:
        return ""
    median, low, high = (
        f"{value:,.2f}" if value < _SMALL else _number(value) for value in (spread.median, spread.low, spread.high)
    )
    return f"{median} ({low} to {high})"


def _speaks_of(verdict: Verdict, line: Figures) -> bool:
    goal = verdict.goal
    return line.contestant == RINGBACK and (goal.stage, goal.load) == (line.stage, line.load)


def _row(line: Figures, judged: Iterable[Verdict]) -> tuple[str, ...]:
    goals = list(judged)
    latency = line.latency
    return (
        *(line.stage, line.load, line.contestant),
        *(_number(line.rate), _number(line.cpu_ms), _number(line.rss_mib)),
        _number(line.also.get("postgres_cpu_ms")),
        *(_number(latency and latency.p50), _number(latency and latency.p99)),
        *(_ratio(line.ratio), _ratio(line.cpu_ratio)),
        "; ".join(one.goal.words for one in goals),
        "; ".join(one.said for one in goals),
    )


def _number(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}"  # noqa: PLR2004 - three digits are enough


def _ratio(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}x"


def coloured(verdict: str) -> str:
    """Verdicts of a cell for the terminal."""
    return "; ".join(f"[{_COLOURS[word]}]{word}[/]" for word in verdict.split("; ") if word)
