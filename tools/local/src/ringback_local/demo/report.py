"""The final report: what a person reads, and one line of JSON for programs."""

import json
from collections.abc import Mapping, Sequence

from rich.console import Console
from rich.table import Table

from ringback_local.demo.collect import Dump
from ringback_local.demo.hops import Hop
from ringback_local.demo.judge import Judgement
from ringback_local.demo.kills import Kill

__all__ = ["last_line", "show"]

WORST_SHOWN = 10


def show(
    console: Console,
    judgement: Judgement,
    counts: Mapping[str, int],
    hops: Sequence[Hop],
    dumps: Mapping[str, Dump],
    kills: Sequence[Kill],
) -> None:
    """Print the tables of the report."""
    console.print(_flow(judgement, counts))
    console.print(_latencies(hops))
    console.print(_topics(dumps))
    if kills:
        console.print("The latencies hold the kills: a killed member's partitions wait 15 s, its session, for another.")
    for kill in kills:
        console.print(f"killed [bold]{kill.service}[/] while it held {kill.unfinished:,} unfinished")
    for sentence in judgement.worst[:WORST_SHOWN]:
        console.print(f"[red]{sentence}[/]")


def last_line(judgement: Judgement) -> str:
    """The report as one JSON object on one line."""
    return json.dumps(judgement.figures())


def _flow(judgement: Judgement, counts: Mapping[str, int]) -> Table:
    table = Table(title="Every accepted item, accounted for", title_justify="left")
    table.add_column("what")
    table.add_column("count", justify="right")
    table.add_column("judged by")
    for name, value in counts.items():
        table.add_row(name, f"{value:,}", "the simulator's ledger, the topics")
    for name, value in judgement.figures().items():
        bad = value > 0 and name in {"lost", "duplicated", "stale", "cut"}
        source = "the store against the ledger" if name != "dropped" else "planted by the simulator"
        table.add_row(name, f"[{'red' if bad else 'bold'}]{value:,}[/]", source)
    return table


def _latencies(hops: Sequence[Hop]) -> Table:
    table = Table(title="Latency of each hop", title_justify="left")
    for column in ("hop", "samples", "p50 ms", "p99 ms"):
        table.add_column(column, justify="left" if column == "hop" else "right")
    for hop in hops:
        table.add_row(hop.name, f"{hop.samples:,}", f"{hop.p50:,.1f}", f"{hop.p99:,.1f}")
    return table


def _topics(dumps: Mapping[str, Dump]) -> Table:
    table = Table(title="What other teams find on the topics", title_justify="left")
    for column in ("topic", "records", "calls", "repeats"):
        table.add_column(column, justify="left" if column == "topic" else "right")
    for name, held in dumps.items():
        table.add_row(name, f"{held.records:,}", f"{len(held.keys):,}", f"{held.repeats:,}")
    return table
