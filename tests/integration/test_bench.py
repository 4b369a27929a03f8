"""The bench as people run it, a moment a measurement: every figure is there, no memory past three times its goal."""

import subprocess
import sys
import time
from pathlib import Path

import pytest

from bench.contestant import Latency
from bench.figures import RINGBACK, Figures, with_ratios
from bench.goals import GOALS, Goal, far_off, met, verdicts
from bench.kafka import watch
from bench.page import page
from bench.report import Report
from bench.sampling import top_costs

pytestmark = [pytest.mark.integration, pytest.mark.timeout(400)]

ROOT = Path(__file__).parents[2]
LOADS = {
    "webhook": {"32 connections", "128 connections", "500 POST/s"},
    "enricher": {"0 ms answers", "100 ms answers"},
    "store": {"5 participants", "whole 45 KB records"},
    "e2e": {"50 calls/s"},
}


def test_every_stage_gives_every_figure(tmp_path: Path) -> None:
    """Rate and memory of every contestant under every load, ratios beside the baseline, nothing failed.

    What is timed is judged by `make bench`, which has the machine for itself; memory is the same here.
    """
    file = tmp_path / "figures.json"
    command = [sys.executable, "-m", "bench", "all", "--seconds", "0.2", "--json", str(file)]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    report = Report.read(file)
    lines = report.lines
    assert [line for line in lines if line.failures or not (line.rate and line.rss_mib)] == []
    ours = {(line.stage, line.load): line for line in lines if line.contestant == RINGBACK}
    for stage, loads in LOADS.items():
        beside = [ours[stage, load] for load in loads]
        assert all(line.cpu_ms and (line.ratio or stage == "e2e") for line in beside)
        assert f"| {stage} |" in page([report])
    judged = [(one.goal, one.value) for one in verdicts(lines)]
    assert [goal for goal, value in judged if value is None] == []
    assert [goal for goal, value in judged if goal.figure == "rss_mib" and value and far_off(goal, value)] == []


def figures(**members: object) -> Figures:
    """A line of Ringback's store."""
    shape = {"stage": "store", "load": "5 participants", "contestant": RINGBACK}
    return Figures(**({**shape, "records": 100, "seconds": 1.0, "rate": 100.0} | members))  # type: ignore[arg-type]


AT_MOST = Goal("webhook", "500 POST/s", "p99", 50.0, "p99 ≤ 50 ms")
AT_LEAST = Goal("store", "5 participants", "ratio", 0.6, "≥ 0.6", at_least=True)


@pytest.mark.parametrize(
    ("goal", "value", "is_met", "is_far_off"),
    [
        (AT_MOST, 50.0, True, False),
        (AT_MOST, 50.1, False, False),
        (AT_MOST, 150.0, False, False),
        (AT_MOST, 150.1, False, True),
        (AT_LEAST, 0.6, True, False),
        (AT_LEAST, 0.59, False, False),
        (AT_LEAST, 0.21, False, False),
        (AT_LEAST, 0.19, False, True),
    ],
)
def test_a_test_fails_only_past_three_times_the_goal(
    goal: Goal,
    value: float,
    is_met: bool,  # noqa: FBT001 - a table
    is_far_off: bool,  # noqa: FBT001 - a table
) -> None:
    """Met, missed, and missed by so much that something is broken, on both sides of a limit."""
    assert (met(goal, value), far_off(goal, value)) == (is_met, is_far_off)


def test_ratios_are_of_the_baseline_of_the_same_load() -> None:
    """Twice its rate at half its CPU; a load without a baseline has none."""
    baseline = figures(contestant="bare COPY", rate=50.0, cpu_ms=20.0, baseline=True)
    elsewhere = figures(load="another")
    line, alone = with_ratios([figures(cpu_ms=10.0), elsewhere, baseline])[:2]
    assert (line.ratio, line.cpu_ratio) == (2.0, 2.0)
    assert alone.ratio is None


def test_a_verdict_speaks_of_ringback_alone() -> None:
    """A baseline's figure never meets a goal of ours; a goal without a figure is not measured."""
    said = {(one.goal.load, one.goal.figure): one.said for one in verdicts([figures(ratio=0.4, rss_mib=100.0)])}
    assert said["5 participants", "ratio"] == "not met"
    assert said["5 participants", "rss_mib"] == "met"
    assert said["50 calls/s", "p50"] == "not measured"
    assert {one.said for one in verdicts([figures(contestant="bare COPY", ratio=1.0)])} == {"not measured"}
    assert len(said) == len(GOALS)


async def test_what_comes_in_one_transaction_is_counted_from_the_beginning() -> None:
    """Nothing, nothing, everything: the work was done while nothing was seen, so that time and its CPU count."""
    held = iter([0, 0, 0, 7])

    async def count() -> int:
        return next(held)

    before = time.time()
    ran = await watch(count, 0, 7)
    assert ran.records == 7
    assert ran.began - before < (ran.ended - ran.began) / 2


def test_latencies_are_the_slowest_of_their_share() -> None:
    """Of a hundred values the p99 is the greatest, the p50 the fifty-first."""
    assert Latency.of([float(value) for value in range(100)]) == Latency(50.0, 99.0)


def test_stacks_are_counted_by_their_innermost_function() -> None:
    """Lines of one function are one cost; shares are of all samples."""
    stacks = ["main (a/b.py:1);work (c/d.py:5) 3", "main (a/b.py:1);work (c/d.py:9) 3", "main (a/b.py:7) 2"]
    costs = top_costs(("store", "x"), stacks)
    assert costs.samples == 8
    assert costs.top == [("c/d.work", 0.75), ("a/b.main", 0.25)]
