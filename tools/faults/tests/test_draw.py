"""Which rows a landing runs: about a third of the time, each row as likely as any, the same for the same commit."""

import dataclasses
import hashlib
from collections import Counter
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from ringback_common.errors import ConfigError
from ringback_faults import __main__ as command
from ringback_faults import arguments
from ringback_faults.__main__ import main
from ringback_faults.plan import a_third, batches, draw_plan
from ringback_faults.row import DEMO, read_rows
from ringback_faults.run import RunOptions, begun, wanted_rows
from ringback_faults.scorecard import announcement

FAULTS = Path(__file__).parents[3] / "tests" / "fault"
ROWS = [row for row in read_rows(FAULTS / "rows") if row.row != DEMO]
"""The demo's is a step of a landing by itself, and never drawn."""
DRAWS = [hashlib.sha256(str(number).encode()).hexdigest()[:10] for number in range(3000)]
DRAWN = [[row.row for row in a_third(ROWS, draw)] for draw in DRAWS]
"""What 3,000 commits would run."""


def _seconds(names: list[str]) -> float:
    """Of all installations that these rows need, one after another."""
    rows = [row for row in ROWS if row.row in names]
    made = batches(draw_plan(rows, (1, 2, 3), iter(())), {row.row: row for row in rows})
    return sum(batch.seconds for batch in made)


def test_a_draw_is_a_third_of_the_time() -> None:
    """Rows that take minutes weigh as much as they take, and worlds that have to be opened are not for nothing."""
    whole = _seconds([row.row for row in ROWS])
    shares = [_seconds(names) / whole for names in DRAWN[:1000]]
    assert 0.325 < sum(shares) / len(shares) < 0.345
    assert min(shares) > 0.25
    assert max(shares) < 0.42


def test_every_row_is_drawn_about_as_often_as_any_other() -> None:
    """No row starves, be it long, in a world of its own or alone on the machine."""
    times = Counter(name for names in DRAWN for name in names)
    assert set(times) == {row.row for row in ROWS}
    shares = {name: count / len(DRAWS) for name, count in times.items()}
    assert min(shares.values()) > 0.26
    assert max(shares.values()) < 0.38


def test_no_row_waits_for_more_than_sixty_commits() -> None:
    """Which at a third each should happen to one row in ten thousand million."""
    for row in ROWS:
        at = [-1, *(place for place, names in enumerate(DRAWN) if row.row in names), len(DRAWN)]
        assert max(after - before for before, after in pairwise(at)) <= 60, row.row


def test_a_commit_draws_the_same_rows_whenever_it_is_asked() -> None:
    """In the scorecard's order, and not what another commit draws."""
    assert [[row.row for row in a_third(list(ROWS), draw)] for draw in DRAWS[:50]] == DRAWN[:50]
    order = {row.row: place for place, row in enumerate(ROWS)}
    assert all(names == sorted(names, key=order.__getitem__) for names in DRAWN)
    assert len({tuple(names) for names in DRAWN}) > 2900


@pytest.mark.parametrize("count", [1, 2])
def test_there_is_always_something_to_run(count: int) -> None:
    """A third of one row is that row."""
    assert all(len(a_third(ROWS[:count], draw)) == 1 for draw in DRAWS[:50])
    assert a_third([], DRAWS[0]) == []


class _AskedError(Exception):
    """What the command would have run."""

    def __init__(self, options: Any) -> None:
        super().__init__()
        self.options = options


def _asked(monkeypatch: pytest.MonkeyPatch, *words: str) -> Any:
    def asked(options: Any, _console: Console) -> None:
        raise _AskedError(options)

    for name in ("run", "run_mutants"):
        monkeypatch.setattr(command, name, asked)
    with pytest.raises(_AskedError) as raised:
        main(words)
    return raised.value.options


def test_head_s_hash_draws(monkeypatch: pytest.MonkeyPatch) -> None:
    """And the commit may be named by more of its digits: the draw is the same."""
    monkeypatch.setattr(arguments, "head", lambda: "0123456789ab")
    assert _asked(monkeypatch, "run", "--draw", "HEAD").draw == "0123456789"
    assert _asked(monkeypatch, "run", "--draw", "0123456789" * 4).draw == "0123456789"
    assert _asked(monkeypatch, "mutants", "--draw", "HEAD").draw == "0123456789"


def test_named_rows_and_bugs_are_run_whatever_is_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """`make fault ARGS="--rows R3"`, also where there is no commit to draw by."""
    monkeypatch.setattr(arguments, "head", lambda: "")
    named: RunOptions = _asked(monkeypatch, "run", "--draw", "HEAD", "--rows", "R3,R4", "--seed", "7,8")
    assert (named.names, named.draw, named.seeds) == (("R3", "R4"), None, (7, 8))
    assert _asked(monkeypatch, "mutants", "--draw", "HEAD", "--only", "M3").draw is None


@pytest.mark.parametrize("name", ["run", "mutants"])
def test_where_there_is_no_commit_one_sentence_says_what_to_do(
    name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """An unpacked archive is no clone."""
    monkeypatch.setattr(arguments, "head", lambda: "")
    assert main([name, "--draw", "HEAD"]) == 2
    reported = capsys.readouterr().err
    assert reported.count("\n") == 1
    assert {"run": "make fault-all", "mutants": "make mutants-all"}[name] in reported


@pytest.mark.parametrize("word", ["", "main", "012345678", "0123456789; ls"])
def test_a_draw_that_is_no_hash_is_refused(word: str) -> None:
    """A typo must not draw something else."""
    with pytest.raises(ConfigError, match="no commit's hash"):
        arguments.draw_of(word, "make fault-all")


@pytest.mark.parametrize("word", ["x", "7,", "7 8", "-1"])
def test_seeds_that_are_no_numbers_are_refused(word: str, capsys: pytest.CaptureFixture[str]) -> None:
    """With the command's usage and exit code 2."""
    with pytest.raises(SystemExit) as ended:
        main(["run", f"--seed={word}"])
    assert ended.value.code == 2
    assert f"{word!r} is no number" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "file"),
    [
        (("run",), "last"),
        (("run", "--long"), "long"),
        (("run", "--seed", "7"), "last"),
        (("run", "--draw", "0123456789"), "some"),
        (("run", "--long", "--draw", "0123456789"), "some"),
        (("run", "--rows", "R3"), "some"),
        (("run", "--world", "plain"), "some"),
        (("run", "--overlay", "x"), "some"),
        (("run", "--folder", "x"), "some"),
        (("mutants",), "mutants"),
        (("mutants", "--draw", "0123456789"), "some-mutants"),
        (("mutants", "--only", "M3"), "some-mutants"),
        (("mutants", "--bare"), "some-mutants"),
    ],
    ids=str,
)
def test_only_a_whole_run_is_kept_for_the_page(
    words: tuple[str, ...], file: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`make reliability` must not take a few rows, or a few planted bugs, for all."""
    assert _asked(monkeypatch, *words).json.name == f"{file}.json"


def test_a_drawn_run_says_what_repeats_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The same rows, each with the seed it had, though seeds are drawn anew for a run that names none."""
    first = dataclasses.replace(_asked(monkeypatch, "run", "--draw", DRAWS[0]), json=tmp_path / "some.json")
    run = begun(first, wanted_rows(first))
    reported = announcement(run, first.draw).splitlines()
    assert reported[1] == f"Drawn by {DRAWS[0]}: {', '.join(DRAWN[0])}"
    again = _asked(monkeypatch, *reported[2].removeprefix("Repeat: ringback-faults ").split())
    assert begun(again, wanted_rows(again)).plan == run.plan
    assert len(announcement(run, None).splitlines()) == 1
