"""What has to pass before a change lands says how long each step took, also where one fails."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

pytestmark = pytest.mark.contract

CHECK = Path(__file__).parents[2] / ".ci" / "run"
STEPS = ["make test", "make demo CI=true", "make fault", "make mutants"]


def _run(tree: Path, make: str) -> subprocess.CompletedProcess[str]:
    """The check in a tree of its own, with another `make` on the path."""
    (tree / ".ci").mkdir()
    (tree / "bin").mkdir()
    shutil.copy(CHECK, tree / ".ci" / "run")
    (tree / "bin" / "make").write_text(f"#!/bin/sh\n{make}\n")
    (tree / "bin" / "make").chmod(0o755)
    path = f"{tree / 'bin'}:{os.environ['PATH']}"
    return subprocess.run(
        [str(tree / ".ci" / "run")], env={"PATH": path}, capture_output=True, text=True, check=False, timeout=30
    )


def test_every_step_is_timed(tmp_path: Path) -> None:
    """A line for each, in order, and the whole below them."""
    ended = _run(tmp_path, '[ "$1" != demo ] || sleep 1.1')
    reported = ended.stdout.partition("Minutes\n")[2].splitlines()
    assert ended.returncode == 0
    assert [line.split(maxsplit=1)[1] for line in reported[-5:]] == [*STEPS, "in all"]
    assert int(reported[1].split()[0].split(":")[1]) >= 1
    assert int(reported[-1].split()[0].split(":")[1]) >= 1


def test_a_step_that_fails_ends_the_check_with_its_code_and_the_times_so_far(tmp_path: Path) -> None:
    """What comes after it is not begun; what it took is not lost with it."""
    ended = _run(tmp_path, 'echo "$@" >> begun; [ "$1" != fault ] || exit 3')
    reported = ended.stdout.partition("Minutes\n")[2].splitlines()
    assert ended.returncode == 3
    assert (tmp_path / "begun").read_text().splitlines() == ["test", "demo CI=true", "fault"]
    assert [line.split(maxsplit=1)[1] for line in reported] == [*STEPS[:2], "make fault  FAILED (3)", "in all"]
