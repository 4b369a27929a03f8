"""Run by `tests/integration/test_parallel_run.py` only: a test that fails after a process of its has written a log."""

from pathlib import Path


def test_that_fails(tmp_path: Path) -> None:
    """Twenty lines of this log are shown, the first is not."""
    lines = ["the first line", *[f"line {number}" for number in range(19)], "the last line"]
    (tmp_path / "fetch-1.log").write_text("\n".join(lines))
    raise AssertionError
