"""The report of the demo: tables for people; its last line is JSON for programs."""

from collections.abc import Iterable, Mapping

from rich.console import Console
from rich.table import Table

from ringback_faults.collect.topic_dump import READ_TOPICS
from ringback_faults.demo.account import explained
from ringback_faults.demo.hops import hops_of
from ringback_faults.ledgers import Ledgers
from ringback_faults.oracle.evidence import work_held
from ringback_faults.oracle.index import Index
from ringback_faults.report import Verdict

__all__ = ["show"]

_WRONG = frozenset({"lost", "duplicated", "stale", "cut"})
_WAIT = "The latencies hold the kills: a killed member's partitions wait 15 s, its session, for another."


def show(
    console: Console, calls: int, ledgers: Ledgers, index: Index, verdict: Verdict, figures: Mapping[str, int]
) -> None:
    """Print the tables, the kills with the work that each process held, and what the oracle found; `calls` were due."""
    console.print(_flow(ledgers, verdict, figures))
    hops = [(hop.name, f"{hop.samples:,}", f"{hop.p50:,.1f}", f"{hop.p99:,.1f}") for hop in hops_of(ledgers, index)]
    console.print(_table("Latency of each hop", ("hop", "samples", "p50 ms", "p99 ms"), hops))
    console.print(_table("What other teams find on the topics", ("topic", "records", "calls"), _topics(ledgers)))
    kills = [act for act in ledgers.acts if act.what == "kill"]
    for line in (*([_WAIT] if kills else []), *explained(calls, ledgers, index)):
        console.print(line, markup=False, highlight=False, soft_wrap=True)
    for act in kills:
        console.print(f"killed [bold]{act.target}[/] while it held {work_held(act, ledgers):,} unfinished")
    for sentence in verdict.sentences:
        console.print(sentence, style="red", markup=False, soft_wrap=True)


def _flow(ledgers: Ledgers, verdict: Verdict, figures: Mapping[str, int]) -> Table:
    seen = verdict.evidence
    notified = len({item.item for post in ledgers.posts for item in post.items})
    counts = {"notified": notified, "fetched (Graph answered 200)": seen["served_200"]}
    rows = [(name, f"{count:,.0f}") for name, count in counts.items()]
    rows.append(("stored versions", f"{seen['versions_stored']:,.0f}"))
    for name, count in figures.items():
        rows.append((name, f"[{'red' if count and name in _WRONG else 'bold'}]{count:,}[/]"))
    return _table("Every accepted item, accounted for", ("what", "count"), rows)


def _topics(ledgers: Ledgers) -> Iterable[tuple[str, str, str]]:
    for topic in READ_TOPICS:
        held = [record.key for record in ledgers.records if record.topic == topic.name]
        yield topic.name, f"{len(held):,}", f"{len(set(held)):,}"


def _table(title: str, heads: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> Table:
    table = Table(title=title, title_justify="left")
    for place, head in enumerate(heads):
        table.add_column(head, justify="right" if place else "left")
    for row in rows:
        table.add_row(*row)
    return table
