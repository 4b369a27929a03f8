"""`python -m bench.aside`: what is put aside, on a real Kafka, by the enricher as a process, before a fast Graph.

A backlog of tenants that share a partition lies in Kafka when the process is started: of one tenant, of two mixed, of
one wholly behind the other, of one that is paused. It says how often a request was written once more, what share of
the quotas was used, and how much memory that took.
"""

import argparse
import logging
import sys
import time

import uvloop
from rich.console import Console
from ringback_local.kafka import open_broker

from bench.aside.cases import CASES, Result
from bench.aside.measuring import Options, measure, quota_of
from bench.aside.table import show

__all__ = ["main"]


def main() -> int:
    """Measure and print; 1 if a goal was missed."""
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # a topic just made is unknown for a moment
    options, progress = _options(), _Progress()
    progress(f"a tenant's quota is {quota_of(options.budget):.1f} requests a second")
    with open_broker(lasting=True) as broker:
        results = uvloop.run(measure(options, broker.bootstrap_servers, progress))
    show(Console(width=None if sys.stdout.isatty() else 190), results)
    return int(any(_missed(result) for result in results))


def _missed(result: Result) -> bool:
    return any(verdict.said != "met" for verdict in result.verdicts)


class _Progress:
    """Prints a line to stderr, with the seconds since the run began."""

    def __init__(self) -> None:
        self._console, self._began = Console(stderr=True), time.monotonic()

    def __call__(self, words: str) -> None:
        self._console.print(f"[dim]{time.monotonic() - self._began:5.0f} s  {words}[/]", highlight=False)


def _options() -> Options:
    defaults, names = Options(), [case.name for case in CASES]
    parser = argparse.ArgumentParser(prog="python -m bench.aside", description="What is put aside, and how often.")
    parser.add_argument("case", nargs="*", help=f"of {', '.join(names)}; by default all")
    parser.add_argument("--requests", type=int, default=defaults.requests, help="of all tenants of a case together")
    parser.add_argument("--paused", type=int, default=defaults.paused, help="requests of the paused tenant")
    parser.add_argument("--budget", type=int, default=defaults.budget, help="of each tenant: requests in 20 s")
    given = parser.parse_args()
    if unknown := set(given.case) - set(names):
        parser.error(f"there is no case {', '.join(sorted(unknown))}")
    cases = [case for case in CASES if not given.case or case.name in given.case]
    return Options(cases, given.requests, given.paused, given.budget)


if __name__ == "__main__":
    sys.exit(main())
