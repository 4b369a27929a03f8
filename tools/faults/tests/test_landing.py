"""Which planted bugs a landing plants: those whose files changed since all were planted, at most four of them."""

import subprocess
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from rich.console import Console
from ringback_common.errors import ConfigError
from ringback_faults import machine
from ringback_faults.machine import changed_since, head
from ringback_faults.mutants import command
from ringback_faults.mutants.command import MutantsOptions, run_mutants
from ringback_faults.mutants.landing import JUDGE, MOST, choose, files_of
from ringback_faults.mutants.mutant import read_mutants
from ringback_faults.mutants.report import MutantsRun
from ringback_faults.page import commit_of_planted_bugs, page
from ringback_faults.result import read_run

ROOT = Path(__file__).resolve().parents[3]
SINCE = "884725600d"
FILES = {f"M{number}": frozenset({f"libs/{number}.py", "tests/fault/rows/R1.yaml"}) for number in range(1, 11)}


def _names(*changed: str, draw: str = "0123456789") -> tuple[str, ...]:
    return choose(FILES, SINCE, changed, draw).names


def test_a_bug_is_planted_if_a_file_of_it_changed() -> None:
    """And no other: what nobody touched is seen as it was."""
    assert _names("libs/3.py", "README.md") == ("M3",)
    assert _names("libs/3.py", "libs/9.py") == ("M3", "M9")
    assert _names("libs/3.py.orig", "other/libs/3.py") == ()


def test_nothing_changed_is_one_sentence() -> None:
    """With the commit it goes by."""
    chosen = choose(FILES, SINCE, ("README.md",), "0123456789")
    assert chosen.names == ()
    assert chosen.why == f"No file of a planted bug changed since {SINCE}, when all were planted: none is planted."


def test_at_most_four_are_planted_and_the_hash_draws_them() -> None:
    """Each as often as any other, the same for the same commit, in their order."""
    drawn = [_names("tests/fault/rows/R1.yaml", draw=f"{number:010x}") for number in range(2000)]
    assert {len(names) for names in drawn} == {MOST}
    assert all(list(names) == [name for name in FILES if name in names] for names in drawn)
    times = Counter(name for names in drawn for name in names)
    assert set(times) == set(FILES)
    assert min(times.values()) > 0.34 * len(drawn)
    assert max(times.values()) < 0.46 * len(drawn)
    assert _names("tests/fault/rows/R1.yaml") == _names("tests/fault/rows/R1.yaml")
    assert "10 of 10 planted bugs, 4 of them drawn by 0123456789" in choose(FILES, SINCE, FILES["M1"], "0123456789").why


@pytest.mark.parametrize("folder", JUDGE)
def test_a_change_of_the_judge_concerns_every_bug(folder: str) -> None:
    """Whether it still sees them is not known."""
    assert (ROOT / folder).is_dir()
    assert len(_names(f"{folder}index.py")) == MOST
    assert _names(folder.replace("src", "tests")) == ()


@pytest.mark.parametrize(
    ("since", "words"), [(None, "names no commit"), (SINCE, f"does not have {SINCE}")], ids=["no page", "no commit"]
)
def test_where_the_past_is_not_known_all_count_as_changed(since: str | None, words: str) -> None:
    """A shallow clone or a rewritten history makes the check wider, never narrower, and says so."""
    chosen = choose(FILES, since, None, "0123456789")
    assert len(chosen.names) == MOST
    assert words in chosen.why
    assert "all count as changed: 10 of 10 planted bugs" in chosen.why


def test_the_files_of_a_bug_are_what_makes_it_and_where_it_is_met() -> None:
    """Its patched files, its own, its row's, its world's: each of them there."""
    files = files_of(ROOT)
    assert list(files) == [mutant.mutant for mutant in read_mutants(ROOT / "tests/fault/mutants")]
    assert files["M11"] >= {
        "tests/fault/mutants/M11-budget-per-process.yaml",
        "tests/fault/rows/R24-rebalance-storm.yaml",
        "tests/fault/worlds/frugal.yaml",
    }
    assert any(file.startswith("libs/") for file in files["M2"])
    assert [file for each in files.values() for file in each if not (ROOT / file).is_file()] == []


def test_a_bug_of_no_row_is_named(tmp_path: Path) -> None:
    """It would never be planted, and nobody would miss it."""
    for folder in ("rows", "mutants"):
        (tmp_path / "tests/fault" / folder).mkdir(parents=True)
    bug = next((ROOT / "tests/fault/mutants").glob("M02-*.yaml"))
    (tmp_path / "tests/fault/mutants" / bug.name).write_text(bug.read_text())
    with pytest.raises(ConfigError, match="M2: there is no row R3"):
        files_of(tmp_path)


def test_the_page_names_the_commit_that_was_written_into_it() -> None:
    """Writer and reader agree; changes on top of a commit are in no history, so there is nothing to compare with."""
    for commit, named in ((SINCE, SINCE), (f"{SINCE}+a1b2c3", None), ("unknown", None)):
        run = MutantsRun("2026-11-28T17:33:37+00:00", commit, 5, 60.0, (), ())
        assert commit_of_planted_bugs(page("# Head, commit `abc`", [], [], run)) == named
    assert commit_of_planted_bugs(page("# Head, commit `abc`", [], [], None)) is None


def test_the_page_says_that_rows_were_not_run_without_their_bugs() -> None:
    """An empty list would read as if they had been."""
    bare = page("# Head", [], [], MutantsRun("2026-11-28T17:33:37+00:00", SINCE, 5, 60.0, (), ()))
    assert "Their rows without a bug were not run beside them." in bare
    assert "Without a bug:" not in bare


@pytest.fixture
def clone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A clone of its own, with a file in a commit."""
    monkeypatch.setattr(machine, "_ROOT", tmp_path)
    _git(tmp_path, "init", "--quiet")
    (tmp_path / "moved.py").write_text("x = 1\n" * 30)
    (tmp_path / "kept.py").write_text("y = 1\n")
    _git(tmp_path, "add", ".")
    _commit(tmp_path)
    return tmp_path


def _git(folder: Path, *arguments: str) -> None:
    subprocess.run(["git", "-C", str(folder), *arguments], check=True, capture_output=True)


def _commit(folder: Path) -> None:
    _git(folder, "-c", "user.name=a", "-c", "user.email=a@example.org", "commit", "--quiet", "-m", "step")


def test_changed_is_what_differs_from_the_commit_under_either_name(clone: Path) -> None:
    """A file that moved has changed where it was, too; what is not committed yet counts."""
    since = head()
    assert changed_since(since) == frozenset()
    (clone / "déjà vu.py").write_text("")
    _git(clone, "mv", "moved.py", "there.py")
    _git(clone, "add", ".")
    _commit(clone)
    (clone / "kept.py").write_text("y = 2\n")
    assert changed_since(since) == {"moved.py", "there.py", "déjà vu.py", "kept.py"}


def test_a_commit_that_the_clone_does_not_have_is_no_answer(clone: Path) -> None:
    """Rather than "nothing changed"."""
    assert changed_since("0123456789") is None
    assert changed_since(head()) is not None
    (clone / ".git").rename(clone / "gone")
    assert (head(), changed_since("0123456789")) == ("", None)


async def test_where_nothing_is_to_be_planted_the_run_is_green_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """One sentence, exit code 0, and no file that could be taken for a run."""
    monkeypatch.setattr(command, "changed_since", _answering(frozenset({"README.md"})))
    monkeypatch.setattr(command, "commit_of_planted_bugs", _answering(SINCE))
    kept = tmp_path / "some-mutants.json"
    options = MutantsOptions(ROOT, (), "0123456789", None, 1, kept, controls=False)
    assert await run_mutants(options, Console(width=300)) == 0
    assert capsys.readouterr().out.startswith(f"No file of a planted bug changed since {SINCE}")
    assert not kept.exists()


async def test_a_run_without_the_rows_as_controls_says_so_in_its_file(tree_with_a_bug: Path, tmp_path: Path) -> None:
    """Its verdict is about the bugs alone; the installation of this one cannot be opened, so that is told at once."""
    kept = tmp_path / "some-mutants.json"
    options = MutantsOptions(tree_with_a_bug, ("M1",), None, 7, 1, kept, controls=False)
    assert await run_mutants(options, Console()) == 1
    run = read_run(kept, MutantsRun)
    assert run is not None
    assert (run.controlled, run.controls, [each.mutant for each in run.outcomes]) == (False, (), ["M1"])
    assert "nowhere" in run.outcomes[0].result.error


@pytest.fixture
def tree_with_a_bug(tmp_path: Path) -> Path:
    """A product of one file, a bug in it, and a row in an installation that there is not."""
    root = tmp_path / "tree"
    row = {"row": "R1", "fault": "f", "world": "nowhere", "expect": {"evidence": {"posts": 1}}, "judged": ["I1"]}
    patch = {"file": "libs/sample/src/ringback_sample/code.py", "before": "x = 1", "after": "x = 2"}
    bug = {"mutant": "M1", "bug": "b", "why": "w", "row": "R1", "caught_by": ["I1"], "patches": [patch]}
    for file, text in (
        (patch["file"], "x = 1\n"),
        ("tests/fault/rows/R01-f.yaml", yaml.safe_dump(row)),
        ("tests/fault/mutants/M01-b.yaml", yaml.safe_dump(bug)),
    ):
        (root / file).parent.mkdir(parents=True, exist_ok=True)
        (root / file).write_text(text)
    return root


def _answering(answer: object) -> Callable[[str], object]:
    return lambda _: answer
