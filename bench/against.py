"""Rounds of a run that take turns, of this tree alone or of this tree and another commit's sources.

Each round is a run of its own, with a Kafka of its own. The other commit's packages come before the installed ones; the
libraries, the loads and the stand-ins are this tree's, so it must read the settings and topics that this bench knows.
Each store's database is migrated by its own packages.
"""

import os
import subprocess
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.figures import Figures
from bench.programs import ROOT, SOURCES, script
from bench.report import Report
from bench.spread import Summary, summaries

__all__ = ["COMPARABLE", "Rounds", "checked_out", "compare", "turns"]

COMPARABLE = ("webhook", "enricher", "store")
"""Stages whose processes a round starts itself; end to end has the whole installation of this tree."""
_HERE, _THERE = "here", "there"


@dataclass(frozen=True, slots=True)
class Rounds:
    """What to repeat: a stage or `all`, how often, for how long, and beside which commit, if any."""

    stages: Sequence[str]
    rounds: int
    seconds: float
    against: str | None


def turns(names: Sequence[str], rounds: int) -> Iterator[str]:
    """Who comes when: all of them in each round, in the other order in every second one."""
    for number in range(rounds):
        yield from reversed(names) if number % 2 else names


@contextmanager
def checked_out(commit: str) -> Generator[Path]:
    """A work tree of that commit beside this one; removed at the end. Raises SystemExit if there is no such commit."""
    with TemporaryDirectory(prefix="ringback-against-") as folder:
        tree = Path(folder) / "tree"
        made = _git("worktree", "add", "--detach", str(tree), commit)
        if made.returncode:
            raise SystemExit(f"{commit} cannot be checked out: {made.stderr.strip().splitlines()[-1]}")
        try:
            yield tree
        finally:
            _git("worktree", "remove", "--force", str(tree))


def compare(order: Rounds, say: Callable[[str], None]) -> list[Summary]:
    """Run every round, and sum up.

    Raises:
        SystemExit: there is no such commit, or a round failed; its own words were printed.
    """
    with ExitStack() as held:
        trees: dict[str, Path | None] = {_HERE: None}
        if order.against is not None:
            trees[_THERE] = held.enter_context(checked_out(order.against))
        folder = Path(held.enter_context(TemporaryDirectory(prefix="ringback-rounds-")))
        done: dict[str, list[list[Figures]]] = {_HERE: [], _THERE: []}
        for number, name in enumerate(turns([*trees], order.rounds)):
            whose = order.against if name == _THERE else "this tree"
            say(f"round {number // len(trees) + 1} of {order.rounds}, {whose}")
            done[name].append(_run(order, trees[name], folder / f"{number}.json"))
    return summaries(done[_HERE], done[_THERE])


def _run(order: Rounds, tree: Path | None, file: Path) -> list[Figures]:
    """One round in a process of its own."""
    environment = {name: value for name, value in os.environ.items() if name != SOURCES}
    environment |= {} if tree is None else {SOURCES: str(tree)}
    lines: list[Figures] = []
    for stage in order.stages:
        command = script("bench", stage, "--seconds", str(order.seconds), "--json", str(file))
        if subprocess.run(command, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL, check=False).returncode:
            raise SystemExit("A round failed; nothing is compared.")
        lines += Report.read(file).lines
    return lines


def _git(*arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=False)  # noqa: S607
