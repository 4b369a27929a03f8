"""What a failed test adds to its report: the ends of its processes' logs, of Graph's ledger."""

from collections import deque
from collections.abc import Iterator, Mapping
from pathlib import Path

from ringback_local.simulator import RunningSimulator

__all__ = ["evidence"]

_LINES, _WIDTH = 20, 400


def evidence(fixtures: Mapping[str, object]) -> Iterator[tuple[str, str]]:
    """Titles and last lines of the files that a test's fixtures had written.

    Args:
        fixtures: by name, as the test was given them; of interest are `tmp_path` and `simulator`.
    """
    folder, simulator = fixtures.get("tmp_path"), fixtures.get("simulator")
    files = sorted(folder.glob("*.log")) if isinstance(folder, Path) else []
    for file in [*files, *([simulator.ledger_file] if isinstance(simulator, RunningSimulator) else [])]:
        if file.exists():
            yield f"end of {file.name}", _end(file)


def _end(file: Path) -> str:
    with file.open(errors="replace") as lines:
        return "".join(line[:_WIDTH].rstrip("\n") + "\n" for line in deque(lines, _LINES))
