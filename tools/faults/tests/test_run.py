"""Rows, plans, lanes and pages: what is run, in which company, and that no failure gets lost on the way."""

import asyncio
import dataclasses
import io
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError
from rich.console import Console
from ringback_common.errors import ConfigError
from ringback_faults.actions import action, check_steps
from ringback_faults.lanes import Lanes
from ringback_faults.mutants.report import MutantsRun
from ringback_faults.page import page
from ringback_faults.plan import a_third, batches, draw_plan
from ringback_faults.report import INVARIANTS, Verdict
from ringback_faults.result import Result, Run, read_run, write_run
from ringback_faults.row import Row, read_rows
from ringback_faults.run import RunOptions, wanted_rows
from ringback_faults.scorecard import show
from ringback_faults.slots import slots

FAULTS = Path(__file__).parents[3] / "tests" / "fault"
CLEAN = dict.fromkeys(INVARIANTS, 0)


def row(name: str, seconds: float = 10.0, **more: Any) -> Row:
    """A row that says as little as it may."""
    said = {"row": name, "fault": f"what {name} does", "load": {"seconds": seconds}, "judged": ["I2"]}
    return Row.model_validate({"expect": {"evidence": {"kill": 1}}, **said, **more})


def result(name: str, seed: int = 7, **broken: int) -> Result:
    """A row's result; `broken` counts anomalies."""
    findings = tuple(f"{invariant}: it broke" for invariant in broken)
    verdict = Verdict(CLEAN | broken, findings, {"recovery_seconds": 12.0}, {"kill": 1.0, "posts": 9.0})
    return Result(name, f"what {name} does", "plain", seed, 20.0, verdict, "/logs", demanded=("kill",))


def run_of(*results: Result, plan: tuple[tuple[str, int], ...] = (("R3", 7),)) -> Run:
    """A run with these results."""
    return Run("2026-11-22T20:00:00+00:00", "abc", long=False, plan=plan, took=60.0, results=results)


@pytest.mark.parametrize(
    ("step", "sentence"),
    [
        ({"do": "explode"}, "R3, step 1: there is no action 'explode'"),
        ({"do": "kill"}, "R3, step 1: kill: process: Field required"),
        ({"do": "kill", "process": "broker"}, "R3, step 1: kill: process: Input should be"),
        ({"do": "kill", "process": "store", "time": 3}, "R3, step 1: kill: time: Extra inputs are not permitted"),
        ({"do": "freeze", "process": "store", "seconds": "long"}, "R3, step 1: freeze: seconds:"),
    ],
)
def test_a_mistake_in_a_step_is_one_sentence_before_anything_runs(step: dict[str, Any], sentence: str) -> None:
    """The row, the step, the parameter."""
    with pytest.raises(ConfigError, match=sentence.replace("(", r"\(")):
        check_steps(row("R3", steps=[step]))


def test_two_actions_cannot_share_a_name() -> None:
    """The second would silently replace the first."""
    with pytest.raises(ValueError, match="two actions 'kill'"):
        action("kill")(_nothing)


async def _nothing(_scene: Any) -> None:
    """No fault."""


def test_the_long_form_replaces_what_it_names() -> None:
    """Members of a load are replaced one by one, steps as a whole; a mistake in it is found."""
    short = row("R3", steps=[{"do": "wait", "seconds": 1}], long={"load": {"calls": 9}, "steps": [], "repeat": 3})
    long = short.at_length()
    assert (long.load.calls, long.load.seconds, long.steps, long.repeat) == (9, 10.0, (), 3)
    assert row("R4").at_length() == row("R4")
    with pytest.raises(ValidationError):
        row("R3", long={"lod": {}}).at_length()


def test_a_long_run_is_of_the_rows_that_have_a_long_form(tmp_path: Path) -> None:
    """The others are in every short run; one that is named is run all the same."""
    options = RunOptions(
        FAULTS,
        FAULTS / "worlds",
        names=(),
        draw=None,
        world=None,
        seeds=(7,),
        lanes=1,
        long=True,
        overlay=None,
        json=tmp_path / "r.json",
        resume=False,
    )
    every = {row.row: row for row in read_rows(FAULTS / "rows")}
    assert [row.row for row in wanted_rows(options)] == [name for name, row in every.items() if row.long is not None]
    named = dataclasses.replace(options, names=("R1", "R3"))
    assert wanted_rows(named) == [every["R1"], every["R3"].at_length()]
    assert wanted_rows(dataclasses.replace(options, long=False)) == list(every.values())
    drawn = dataclasses.replace(options, draw="0123456789", long=False)
    assert wanted_rows(drawn) == a_third(list(every.values()), "0123456789")


def test_every_seed_drives_some_rows_and_rows_of_a_world_share_installations() -> None:
    """A world whose rows would take too long together is cut; repeated rows get seeds of their own."""
    rows = [row(f"R{number}", 60.0) for number in range(1, 10)] + [row("R10", world="three"), row("R11", repeat=3)]
    plan = draw_plan(rows, (1, 2, 3), count(100))
    assert [name for name, _ in plan] == [*(each.row for each in rows[:-1]), "R11", "R11", "R11"]
    assert {seed for _, seed in plan} == {1, 2, 3, 100, 101}
    made = batches(plan, {each.row: each for each in rows})
    assert sorted((name, batch.seed) for batch in made for name in batch.rows) == sorted(plan)
    assert [batch.seconds for batch in made] == sorted((batch.seconds for batch in made), reverse=True)
    assert any(len(batch.rows) > 1 for batch in made)
    assert max(batch.seconds for batch in made) < 300
    assert [batch.rows for batch in made if batch.world == "three"] == [("R10",)]


def test_a_long_row_has_an_installation_of_its_own() -> None:
    """Whatever its seed: behind others it would end hours after all else; so it is the first to begin."""
    rows = {each.row: each for each in (row("R3"), row("R4"), row("R37", 1800.0))}
    assert [batch.rows for batch in batches([(name, 1) for name in rows], rows)] == [("R37",), ("R3", "R4")]


def test_a_row_that_is_known_to_take_long_is_begun_early() -> None:
    """Brokers read their logs longer than any step says: begun last, it would be waited for."""
    rows = {each.row: each for each in (row("R3"), row("R8", world="three", takes=100.0))}
    assert [batch.rows for batch in batches([(name, 1) for name in rows], rows)] == [("R8",), ("R3",)]


def test_who_wants_the_machine_alone_comes_last() -> None:
    """Its figures are times; nothing else may run beside it."""
    rows = {each.row: each for each in (row("R1", 500.0, alone=True), row("R2"))}
    assert [batch.rows for batch in batches([("R1", 1), ("R2", 1)], rows)] == [("R2",), ("R1",)]


def test_an_interrupted_run_goes_on_and_a_failure_stays_one(tmp_path: Path) -> None:
    """What has a result is not run again, whatever the result; a run is clean when all of its plan is."""
    plan = (("R3", 7), ("R4", 7), ("R4", 8))
    run = run_of(result("R3"), result("R4", 8, I2=1), plan=plan)
    write_run(tmp_path / "run.json", run)
    again = read_run(tmp_path / "run.json", Run)
    assert again == run
    assert again is not None
    assert again.left == (("R4", 7),)
    assert read_run(tmp_path / "none.json", Run) is None
    assert not run_of(result("R3"), plan=plan).clean
    assert not run.clean
    assert run_of(result("R3")).clean
    assert not run_of(Result("R3", "", "plain", 7, 0.0, None, "", "it did not start")).clean


def test_a_row_without_evidence_is_not_clean() -> None:
    """Nothing broke, and nothing was proven."""
    verdict = Verdict(CLEAN, (), missing=("No evidence: kill is 0, the row demands 1.",))
    judged = Result("R3", "", "plain", 7, 0.0, verdict, "")
    assert (judged.clean, judged.word) == (False, "no evidence")


def test_a_row_with_a_figure_above_its_bound_has_failed() -> None:
    """It happened, and too much came of it; a row that ended with an error has failed, too."""
    verdict = Verdict(CLEAN, (), excess=("Too much: posts is 3, the row allows 2.",))
    judged = Result("R3", "", "plain", 7, 0.0, verdict, "")
    assert (judged.clean, judged.word) == (False, "failed")
    assert verdict.sentences == verdict.excess
    assert Result("R3", "", "plain", 7, 0.0, Verdict(CLEAN, ()), "", "it ended").word == "failed"
    assert Result("R3", "", "plain", 7, 0.0, None, "", "it did not start").word == "not judged"


async def test_a_lane_that_cannot_begin_is_a_failure_of_its_rows(tmp_path: Path) -> None:
    """Its last words are in the result, and every row of the batch has one, or the run would never end."""
    (tmp_path / "rows").mkdir()
    rows = {each.row: each for each in (row("R3", world="nowhere"), row("R4", world="nowhere"))}
    reported: list[Result] = []
    lanes = Lanes(rows, ["--folder", str(tmp_path)], 2, reported.append, lambda _row, _seed, _stage: None)
    await lanes.run([("R3", 7), ("R4", 7)])
    assert sorted(each.row for each in reported) == ["R3", "R4"]
    assert all("there is no row R" in each.error and not each.clean for each in reported)


async def test_a_machine_carries_three_installations_at_a_time(tmp_path: Path) -> None:
    """A fourth waits for its turn, and one that wants the machine alone for all of them."""
    async with slots(folder=tmp_path), slots(folder=tmp_path):
        async with slots(folder=tmp_path):
            for every in (False, True):
                with pytest.raises(TimeoutError):
                    async with asyncio.timeout(0.1), slots(every=every, folder=tmp_path):
                        raise AssertionError("there was no room")
        async with asyncio.timeout(20), slots(folder=tmp_path):
            pass
    async with asyncio.timeout(20), slots(every=True, folder=tmp_path):
        pass


def test_a_failure_is_shown_with_all_that_is_needed_to_repeat_it() -> None:
    """Findings, where the logs are, and the command with the seed."""
    said = io.StringIO()
    show(Console(file=said, width=160), run_of(result("R3", I2=4)))
    text = said.getvalue()
    for words in ("FAILED", "I2 conservation: 4", "I2: it broke", "/logs", "ringback-faults run --rows R3 --seed 7"):
        assert words in text
    assert "1 of 1 rows in 1.0 min, 1 not clean" in text


def test_the_page_tells_failures_and_what_was_not_run() -> None:
    """Every figure is the run's; a finding cannot be left out."""
    rows = [row("R3"), row("R4")]
    run = run_of(result("R3", I2=4), plan=(("R3", 7), ("R4", 7)))
    text = page("# Head", rows, [("The last run", run)], None)
    assert "| R3 | what R3 does | plain | I2 |" in text
    assert "1 of 1 not clean, 1 not run. Seeds 7." in text
    assert "| R3 | 7 | **failed** | I2 4 | 12 |" in text
    assert "- I2: it broke" in text
    assert "conservation 4," in text
    assert "No run on record." in text


def test_the_page_says_whether_its_figures_are_of_one_commit() -> None:
    """A promise that one tree kept and another broke was kept by neither."""
    run, bugs = run_of(result("R3")), MutantsRun("now", "abc", 5, 60.0, (), ())
    other = dataclasses.replace(run, commit="def", long=True)
    one = page("# Head", [], [("The last run", run), ("The last long run", run)], bugs)
    assert "All of one commit, `abc`: The last run, The last long run, Planted bugs." in one
    for runs, mutants in (
        ([("The last run", run), ("The last long run", other)], bugs),
        ([("The last run", other)], bugs),
    ):
        top = page("# Head", [], runs, mutants).partition("## The figures\n")[2].partition("## The last run")[0]
        assert "**Not of one commit**: The last run" in top
        assert "`def`" in top
        assert "`abc`" in top
    assert "**Not of one commit**" not in page("# Head", [], [], None)
