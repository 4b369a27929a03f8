"""What the design asks for, and the verdict on a figure. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from bench.figures import RINGBACK, Figures

__all__ = ["GOALS", "PEER_GOALS", "Goal", "Verdict", "far_off", "met", "verdicts"]

Figure = Literal["p50", "p99", "ratio", "rss_mib", "writes", "quota", "grown_mib"]
"""What a goal speaks of; the last three are figures of `bench.aside`."""

PATIENCE = 3.0
"""A machine that others use too misses a goal now and then; only a figure this many times off says that a change broke
something."""


@dataclass(frozen=True, slots=True)
class Goal:
    """A limit for one figure of Ringback's under one load; `at_least` false means at most."""

    stage: str
    load: str
    figure: Figure
    limit: float
    words: str
    at_least: bool = False


GOALS = (
    Goal("webhook", "500 POST/s", "p99", 50.0, "p99 ≤ 50 ms"),
    Goal("webhook", "128 connections", "rss_mib", 150.0, "≤ 150 MiB"),
    Goal("enricher", "0 ms answers", "rss_mib", 150.0, "≤ 150 MiB"),
    Goal("enricher", "100 ms answers", "rss_mib", 150.0, "≤ 150 MiB"),
    Goal("store", "5 participants", "ratio", 0.5, "≥ 0.5 of COPY", at_least=True),
    Goal("store", "5 participants", "rss_mib", 150.0, "≤ 150 MiB"),
    Goal("store", "whole 45 KB records", "rss_mib", 150.0, "≤ 150 MiB"),
    Goal("e2e", "50 calls/s", "p50", 50.0, "p50 ≤ 50 ms"),
    Goal("e2e", "50 calls/s", "p99", 250.0, "p99 ≤ 250 ms"),
)

PEER_GOALS = (
    ("webhook", "rate ≥ 1.0x Bento's at 32 and at 128 connections, ≥ 1.5x per CPU second, p99 below its"),
    ("enricher", "rate ≥ 1.5x Bento's, ≥ 2.5x per CPU second; ≥ 5x Quix Streams'"),
    ("store", "rate ≥ 1.6x Bento's, ≥ 2.5x per CPU second of the process"),
)
"""Goals beside other systems: not measured until those are contestants of a run."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """A goal and what was measured; `value` None: not measured in this run."""

    goal: Goal
    value: float | None

    @property
    def said(self) -> str:
        """The verdict in a word or two."""
        if self.value is None:
            return "not measured"
        return "met" if met(self.goal, self.value) else "not met"


def met(goal: Goal, value: float) -> bool:
    """Whether the figure is on the right side of the limit."""
    return value >= goal.limit if goal.at_least else value <= goal.limit


def far_off(goal: Goal, value: float) -> bool:
    """Whether it is so far off that a change must have broken something: more than three times the goal."""
    return value * PATIENCE < goal.limit if goal.at_least else value > goal.limit * PATIENCE


def verdicts(lines: Iterable[Figures]) -> list[Verdict]:
    """Every goal with the figure of this run."""
    ours = {(line.stage, line.load): line for line in lines if line.contestant == RINGBACK}
    return [Verdict(goal, _figure(ours.get((goal.stage, goal.load)), goal.figure)) for goal in GOALS]


def _figure(line: Figures | None, figure: Figure) -> float | None:
    if line is None:
        return None
    if figure in {"p50", "p99"}:
        return None if line.latency is None else getattr(line.latency, figure)
    return line.ratio if figure == "ratio" else line.rss_mib
