"""`python -m bench [webhook|enricher|store|e2e|all]`: measure, print the table, write the figures.

`--rounds N` repeats it and gives medians and spread; `--against COMMIT` lets that commit take turns with this tree.

`python -m bench page RUN.json [OTHER.json ...]` prints docs/performance.md from what runs have written.
"""

import argparse
import logging
import sys
from pathlib import Path

import uvloop
from rich.console import Console

from bench.against import COMPARABLE, Rounds, compare
from bench.page import page
from bench.report import Report
from bench.run import STAGES, Options, run
from bench.sampling import Costs
from bench.table import show, show_rounds

__all__ = ["main"]

_ROUNDS = 5


def main() -> None:
    """Measure, or print the page."""
    if sys.argv[1:2] == ["page"]:
        sys.stdout.write(page([Report.read(Path(name)) for name in sys.argv[2:]]))
        return
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # a topic just made is unknown for a moment
    given = _given()
    if given.against is not None or given.rounds is not None:
        _compare(given)
    else:
        _measure(_options(given))


def _given() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description="Measures Ringback on this machine.")
    parser.add_argument("stage", nargs="?", default="all", choices=[*STAGES, "all"])
    parser.add_argument("--seconds", type=float, default=8.0, help="how long one measurement takes, about")
    parser.add_argument("--json", type=Path, help="where the figures go; by default bench/out/<time>.json")
    parser.add_argument("--profile", action="store_true", help="sample the stacks of Ringback's processes as well")
    parser.add_argument(
        "--rounds",
        type=int,
        choices=range(1, 100),
        metavar="N",
        help="repeat it, each time anew; 5 beside another commit",
    )
    parser.add_argument("--against", metavar="COMMIT", help="let the processes of another commit take turns")
    given = parser.parse_args()
    if given.against is not None and given.stage not in {*COMPARABLE, "all"}:
        parser.error(f"only {', '.join(COMPARABLE)} can be measured against another commit")
    return given


def _options(given: argparse.Namespace) -> Options:
    stages = STAGES if given.stage == "all" else (given.stage,)
    return Options(stages, given.seconds, given.json, given.profile)


def _compare(given: argparse.Namespace) -> None:
    whole = STAGES if given.against is None else COMPARABLE
    stages = whole if given.stage == "all" else (given.stage,)
    order = Rounds(stages, _ROUNDS if given.rounds is None else given.rounds, given.seconds, given.against)
    found = compare(order, lambda words: Console(stderr=True).print(words, highlight=False))
    show_rounds(Console(width=None if sys.stdout.isatty() else 190), found)


def _measure(options: Options) -> None:
    errors = Console(stderr=True)
    report, written = uvloop.run(run(options, lambda words: errors.print(f"[dim]{words}[/]", highlight=False)))
    console = Console(width=None if sys.stdout.isatty() else 190)
    show(console, report.lines)
    for cost in report.costs:
        console.print(_cost_line(cost), highlight=False)
    console.print(f"Load average {report.load_average[0]} before, {report.load_average[1]} after; written: {written}")


def _cost_line(cost: Costs) -> str:
    return f"{cost.stage}, {cost.load}: {cost.line}"


if __name__ == "__main__":
    main()
