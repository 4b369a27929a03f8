"""Rounds of the bench: who comes when, what their figures come to, and whose sources the processes run."""

import subprocess
from pathlib import Path

import pytest

from bench.against import checked_out, turns
from bench.figures import RINGBACK, Figures
from bench.programs import SOURCES, sources
from bench.spread import Spread, summaries

pytestmark = pytest.mark.contract

ROOT = Path(__file__).parents[2]


def line(rate: float, cpu_ms: float | None = 100.0, contestant: str = RINGBACK, load: str = "a load") -> Figures:
    """A measured line."""
    return Figures("enricher", load, contestant, 1000, 1.0, rate, cpu_ms, baseline=contestant != RINGBACK)


def test_rounds_take_turns_and_nobody_is_always_first() -> None:
    """What slows a machine down bit by bit slows both: first and second change places from round to round."""
    assert [*turns(["here", "there"], 3)] == ["here", "there", "there", "here", "here", "there"]
    assert [*turns(["here"], 2)] == ["here", "here"]


@pytest.mark.parametrize(
    ("values", "median", "low", "high"),
    [([3.0], 3.0, 3.0, 3.0), ([1.0, 9.0, 2.0], 2.0, 1.0, 9.0), ([4.0, 1.0, 3.0, 2.0], 2.5, 1.0, 4.0)],
)
def test_a_spread_is_the_median_between_the_least_and_the_most(
    values: list[float], median: float, low: float, high: float
) -> None:
    """One round that met a busy machine moves the bounds, not the median."""
    assert Spread.of(values) == Spread(median, low, high)


def test_each_line_is_summed_up_over_its_rounds_and_compared_by_medians() -> None:
    """By stage, load and contestant; a ratio of medians, and of the rounds the least and the most."""
    here = [
        [line(100.0), line(50.0, contestant="bare")],
        [line(120.0), line(50.0, contestant="bare")],
        [line(80.0), line(40.0, contestant="bare")],
    ]
    there = [[line(50.0, 200.0)], [line(80.0, 200.0)], [line(160.0, 200.0)]]
    ringback, bare = summaries(here, there)
    assert (ringback.place, bare.place) == (("enricher", "a load", RINGBACK), ("enricher", "a load", "bare"))
    assert ringback.rate == Spread(100.0, 80.0, 120.0)
    assert ringback.other_rate == Spread(80.0, 50.0, 160.0)
    assert ringback.ratio == Spread(1.25, 0.5, 2.0)
    assert ringback.cpu_ratio == Spread(2.0, 2.0, 2.0)
    assert (bare.rate, bare.other_rate, bare.ratio) == (Spread(50.0, 40.0, 50.0), None, None)


def test_without_another_commit_there_is_nothing_to_compare() -> None:
    """Rounds alone give medians and spread."""
    (alone,) = summaries([[line(10.0, None)], [line(20.0, None)]], [])
    assert (alone.rate, alone.cpu_ms, alone.ratio) == (Spread(15.0, 10.0, 20.0), None, None)


def test_processes_run_the_packages_of_the_tree_that_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """None named: those that are installed."""
    monkeypatch.delenv(SOURCES, raising=False)
    assert sources() == {}
    monkeypatch.setenv(SOURCES, str(ROOT))
    paths = sources()["PYTHONPATH"].split(":")
    assert str(ROOT / "services/enricher/src") in paths
    assert str(ROOT / "libs/graph/src") in paths


def test_a_commit_is_checked_out_beside_this_tree_and_leaves_nothing() -> None:
    """At that commit, with its own sources; gone when the rounds are over, from git's list of worktrees, too."""
    before = subprocess.run(["git", "worktree", "list"], cwd=ROOT, capture_output=True, check=True).stdout
    with checked_out("HEAD") as tree:
        assert (tree / "services/enricher/src/ringback_enricher/app.py").is_file()
    assert not tree.exists()
    after = subprocess.run(["git", "worktree", "list"], cwd=ROOT, capture_output=True, check=True).stdout
    assert after == before


def test_an_unknown_commit_is_said_so() -> None:
    """By git's own sentence, before anything is measured."""
    with pytest.raises(SystemExit, match="no-such-commit"), checked_out("no-such-commit"):
        pass
