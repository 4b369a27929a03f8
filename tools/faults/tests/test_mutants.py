"""The planted bugs fit the tree as it is, and a patch that does not is one clear sentence."""

import dataclasses
import io
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from ringback_common.errors import ConfigError
from ringback_faults.mutants.mutant import Mutant, lightened, read_mutant, read_mutants
from ringback_faults.mutants.overlay import lay, patched
from ringback_faults.mutants.report import MutantsRun, Outcome, outcome_of
from ringback_faults.mutants.table import show
from ringback_faults.mutants.trials import trials
from ringback_faults.report import Verdict
from ringback_faults.result import Result, read_run, write_run
from ringback_faults.row import Row, read_rows

ROOT = Path(__file__).resolve().parents[3]
MUTANTS = read_mutants(ROOT / "tests/fault/mutants")
FILE = "libs/sample/src/ringback_sample/deep/code.py"


def _mutant(before: str, after: str, file: str = FILE) -> Mutant:
    return Mutant.model_validate(
        {
            "mutant": "M1",
            "bug": "b",
            "why": "w",
            "row": "R1",
            "caught_by": ["I1"],
            "patches": [{"file": file, "before": before, "after": after}],
        }
    )


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A product of one package with two files."""
    file = tmp_path / "tree" / FILE
    file.parent.mkdir(parents=True)
    file.write_text("first = 1\nsecond = 2\nother = 1\n")
    (file.parent / "untouched.py").write_text("same = True\n")
    return tmp_path / "tree"


def test_there_are_thirty_two_mutants() -> None:
    """The fourteen of the design and eighteen of our own, each with a number of its own."""
    assert [mutant.mutant for mutant in MUTANTS] == [f"M{number}" for number in range(1, 33)]


@pytest.mark.parametrize("mutant", [each for each in MUTANTS if each.exceeds], ids=lambda mutant: mutant.mutant)
def test_a_figure_that_shows_a_bug_is_bounded_by_its_row(mutant: Mutant) -> None:
    """Just so: else the bug would be caught by what no run of the row is red for."""
    (row,) = (row for row in read_rows(ROOT / "tests/fault/rows") if row.row == mutant.row)
    assert mutant.exceeds.items() <= row.expect.at_most.items()


def test_a_bug_that_nothing_shows_is_refused() -> None:
    """By an invariant or by a figure."""
    with pytest.raises(ValueError, match="neither caught_by nor exceeds"):
        Mutant.model_validate({**_mutant("a", "b").model_dump(), "caught_by": []})


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.mutant)
def test_a_mutant_fits_the_tree(mutant: Mutant, tmp_path: Path) -> None:
    """Every patch still finds its text in the product, exactly once, changes it, and leaves Python behind."""
    lay(mutant, ROOT, tmp_path)
    for file, text in patched(mutant, ROOT).items():
        assert text != (ROOT / file).read_text()
        assert (tmp_path / Path(*Path(file).parts[3:])).read_text() == text


def test_a_whole_package_is_laid(tree: Path, tmp_path: Path) -> None:
    """The copy holds the patched file beside its unchanged neighbours, and the tree itself is left alone."""
    lay(_mutant("second = 2", "second = 3"), tree, tmp_path / "over")
    package = tmp_path / "over" / "ringback_sample" / "deep"
    assert (package / "code.py").read_text() == "first = 1\nsecond = 3\nother = 1\n"
    assert (package / "untouched.py").read_text() == "same = True\n"
    assert "second = 2" in (tree / FILE).read_text()


@pytest.mark.parametrize(
    ("mutant", "sentence"),
    [
        (_mutant("third = 3", "x"), "has 0 times the text that begins 'third = 3'"),
        (_mutant("= 1", "x"), "has 2 times the text that begins '= 1'"),
        (_mutant("first", "x", FILE.replace("code", "gone")), "gone.py is not where its patch expects it"),
        (_mutant("first = 1", "first ="), "no Python in line 1"),
    ],
    ids=["gone", "twice", "no file", "no python"],
)
def test_a_patch_that_does_not_fit_says_so(mutant: Mutant, sentence: str, tree: Path, tmp_path: Path) -> None:
    """A tree that has moved on makes the mutant an error, never one that is not planted."""
    with pytest.raises(ConfigError, match="M1") as raised:
        lay(mutant, tree, tmp_path / "over")
    assert sentence in str(raised.value)


def test_patches_of_one_file_add_up(tree: Path) -> None:
    """A bug that needs two places of one file has both."""
    first = _mutant("first = 1", "first = 7")
    both = first.model_copy(update={"patches": (*first.patches, *_mutant("second = 2", "second = 8").patches)})
    assert patched(both, tree) == {FILE: "first = 7\nsecond = 8\nother = 1\n"}


@pytest.mark.parametrize(
    ("text", "sentence"),
    [("mutant: M1\n", "bad.yaml: bug: Field required"), ("[: x", "bad.yaml: no YAML")],
    ids=["member", "syntax"],
)
def test_a_wrong_file_is_named(text: str, sentence: str, tmp_path: Path) -> None:
    """A typo in a mutant is one sentence with the name of the file."""
    file = tmp_path / "bad.yaml"
    file.write_text(text)
    with pytest.raises(ConfigError) as raised:
        read_mutant(file)
    assert sentence in str(raised.value)


def test_a_number_given_twice_is_refused(tmp_path: Path) -> None:
    """Two bugs under one number would share a line of the table."""
    original = next((ROOT / "tests/fault/mutants").glob("M01-*.yaml")).read_text()
    for name in ("a.yaml", "b.yaml"):
        (tmp_path / name).write_text(original)
    with pytest.raises(ConfigError, match="M1 is given twice"):
        read_mutants(tmp_path)


def test_a_row_can_be_lightened() -> None:
    """Only the named members of the load change; an unknown one is refused."""
    row = Row.model_validate({"row": "R1", "fault": "none", "expect": {"evidence": {"accepted": 1}}, "judged": ["I1"]})
    lighter = lightened(row, {"calls": 7})
    assert (lighter.load.calls, lighter.load.seconds, lighter.judged) == (7, row.load.seconds, row.judged)
    with pytest.raises(ConfigError, match=r"load of R1: load\.cals"):
        lightened(row, {"cals": 7})


def _row(name: str, world: str = "plain") -> Row:
    return Row.model_validate(
        {
            "row": name,
            "fault": "f",
            "world": world,
            "steps": [{"do": "kill", "at": 3, "process": "enricher"}],
            "expect": {"evidence": {"kills": 5}},
            "judged": ["I1"],
        }
    )


ROWS = {"R1": _row("R1"), "R2": _row("R2"), "R3": _row("R3", "proxied")}


def _sent_to(row: str, number: int = 1, **more: object) -> Mutant:
    reported = _mutant("a", "b").model_dump() | {"mutant": f"M{number}", "row": row} | more
    return Mutant.model_validate(reported)


def test_rows_without_bugs_are_run_once_each() -> None:
    """A row that sees two bugs has one control; rows of one world share an installation, as in the regular suite."""
    mutants = [_sent_to("R1", 1), _sent_to("R1", 2), _sent_to("R2", 3), _sent_to("R3", 4)]
    planned = trials(mutants, ROWS)
    controls = [{row.row for row in trial.rows} for trial in planned if trial.mutant is None]
    assert sorted(controls, key=len) == [{"R3"}, {"R1", "R2"}]
    assert [trial.name for trial in planned[2:]] == ["M1", "M2", "M3", "M4"]


def test_a_bug_meets_the_row_as_it_is_but_for_the_waiting() -> None:
    """Faults and what is expected are the regular row's; what is lost is not waited for, the fault has to be there."""
    control, planted = trials([_sent_to("R2", load={"calls": 60}, drain_seconds=6)], ROWS)
    mutated = planted.rows[0]
    assert control.rows[0].load.calls == mutated.load.calls == 60
    assert mutated.steps == ROWS["R2"].steps
    assert mutated.expect == ROWS["R2"].expect.model_copy(update={"standstill_seconds": 6.0, "evidence": {"kills": 1}})


def test_a_row_that_there_is_not_is_named() -> None:
    """A mutant of a row that was renamed is an error, not a bug nobody looks for."""
    with pytest.raises(ConfigError, match="M1: there is no row R9"):
        trials([_sent_to("R9")], ROWS)


def test_two_loads_of_one_row_are_refused() -> None:
    """A control stands for its row's mutants only if it is the same row."""
    with pytest.raises(ConfigError, match="M2: two mutants of R1"):
        trials([_sent_to("R1", 1), _sent_to("R1", 2, load={"calls": 7})], ROWS)


def _result(anomalies: dict[str, int], error: str = "", **more: Any) -> Result:
    verdict = None if error else Verdict(anomalies, ("why",), **more)
    return Result("R1", "f", "plain", 5, 20.0, verdict, "", error)


@pytest.mark.parametrize(
    ("result", "caught"),
    [
        (_result({"I1": 3, "I9": 1}), True),
        (_result({"I1": 0, "I9": 1}), False),
        (_result({"I1": 3}, missing=("no kill held work",)), False),
        (_result({"I1": 3}, excess=("one fault struck nothing",)), True),
        (_result({}, error="the world did not open"), False),
    ],
    ids=["caught", "red elsewhere only", "no evidence", "a figure is too high, by the bug", "not judged"],
)
def test_a_bug_is_caught_by_a_named_invariant_with_evidence(result: Result, caught: bool) -> None:  # noqa: FBT001
    """Red for another reason, or without the fault, proves nothing about the bug."""
    outcome = outcome_of(_mutant("a", "b"), result, 33.0)
    assert outcome.caught is caught
    assert outcome.by == (("I1",) if result.verdict and result.verdict.anomalies.get("I1") else ())


@pytest.mark.parametrize(("early", "by"), [(2, ("signed_early",)), (0, ()), (None, ())])
def test_a_bug_is_caught_by_a_figure_that_is_too_high(early: float | None, by: tuple[str, ...]) -> None:
    """A figure that is missing shows nothing."""
    result = _result({"I1": 0}, evidence={} if early is None else {"signed_early": early})
    mutant = _mutant("a", "b").model_copy(update={"exceeds": {"signed_early": 0.0}})
    outcome = outcome_of(mutant, result, 33.0)
    assert (outcome.by, outcome.caught) == (by, bool(by))
    assert outcome.wanted == ("I1", "signed_early")


def _unseen() -> Outcome:
    return outcome_of(_mutant("a", "b"), _result({"I1": 0}), 33.0)


def test_a_run_is_clean_if_all_are_caught_and_the_rows_are_green(tmp_path: Path) -> None:
    """A bug seen by a row that is red anyway is not seen; a run that was to leave the rows out does not lack them."""
    caught = outcome_of(_mutant("a", "b"), _result({"I1": 1}), 33.0)
    green, red = _result({"I1": 0}), _result({"I1": 1})
    runs = [MutantsRun("now", "abc", 5, 60.0, (caught,), controls) for controls in ((green,), (red,), ())]
    assert [run.clean for run in runs] == [True, False, False]
    without = dataclasses.replace(runs[2], controlled=False)
    assert without.clean
    assert not dataclasses.replace(without, outcomes=(_unseen(),)).clean
    write_run(tmp_path / "mutants.json", runs[0])
    assert read_run(tmp_path / "mutants.json", MutantsRun) == runs[0]


@pytest.mark.parametrize(
    ("controlled", "words"),
    [(True, "1 of 1 planted bugs caught, 1 of 1 rows green without them"), (False, "their rows not run without them")],
)
def test_the_last_line_says_whether_the_rows_were_run_without_bugs(controlled: bool, words: str) -> None:  # noqa: FBT001
    """Nobody takes a short run for a whole one."""
    caught = outcome_of(_mutant("a", "b"), _result({"I1": 1}), 33.0)
    said = io.StringIO()
    run = MutantsRun("now", "abc", 5, 60.0, (caught,), (_result({"I1": 0}),) if controlled else (), controlled)
    show(Console(file=said, width=160), run)
    assert words in said.getvalue()
