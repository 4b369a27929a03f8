"""The words of the command line, checked; what is wrong with one is a sentence and exit code 2."""

import argparse
import re
from pathlib import Path

from ringback_common.errors import ConfigError
from ringback_local.folders import local_folder

from ringback_faults.machine import head

__all__ = ["draw_of", "parser"]

_HEAD = "HEAD"
_DIGITS = 10
"""Of a commit's hash: as many as the commit of a run is written with."""


def parser(folder: Path) -> argparse.ArgumentParser:
    """The commands; `folder` is where rows and worlds are unless a word says otherwise."""
    whole = argparse.ArgumentParser(prog="ringback-faults", description="Breaks Ringback on purpose, and judges.")
    commands = whole.add_subparsers(dest="command", required=True)
    for name, words in (("run", "run rows and show the scorecard"), ("lane", "rows of one world; run starts these")):
        command = commands.add_parser(name, help=words)
        command.add_argument("--rows", "--row", default="", help="e.g. R1,R3, whatever is drawn; all without it")
        command.add_argument("--draw", help="a third of the rows: those that this commit's hash, or HEAD's, draws")
        command.add_argument("--world", help="only rows of this world")
        command.add_argument("--seed", type=_seeds, default=(), help="e.g. 7 or 7,8,9, instead of three that are drawn")
        command.add_argument("--lanes", type=int, default=3, help="installations at a time")
        command.add_argument("--long", action="store_true", help="the long form of each row that has one")
        command.add_argument("--overlay", type=Path, help="packages the services import instead of the installed ones")
        command.add_argument("--folder", type=Path, default=folder, help="where rows and worlds are")
        command.add_argument("--worlds", type=Path, help="where the worlds are, if not there")
        command.add_argument("--discard", action="store_true", help="keep no logs of a row that failed")
        command.add_argument("--json", type=Path, help="where the run is written after every row")
        command.add_argument("--resume", action="store_true", help="go on with the run in that file")
    demo = commands.add_parser("demo", help="run the row R0 on a live screen; without CI=true until Ctrl-C")
    demo.add_argument("--seed", type=int, help="instead of one that is drawn and printed")
    _add_mutants(commands.add_parser("mutants", help="plant bugs in copies of the services and run rows against them"))
    _add_page(commands.add_parser("page", help="print docs/reliability.md, made of the last whole runs"))
    return whole


def _add_mutants(command: argparse.ArgumentParser) -> None:
    command.add_argument("--only", default="", help="e.g. M3,M7, whatever is drawn; all without it")
    command.add_argument("--draw", help="at most four whose files changed since the last whole run, drawn as rows are")
    command.add_argument("--bare", action="store_true", help="without the runs that show the rows green")
    command.add_argument("--seed", type=int, help="instead of one that is drawn and printed")
    command.add_argument("--lanes", type=int, default=3, help="installations at a time")
    command.add_argument("--json", type=Path, help="where the run is written")


def _add_page(command: argparse.ArgumentParser) -> None:
    kept = local_folder() / "faults"
    command.add_argument("--run", type=Path, default=kept / "last.json", help="what `make fault-all` left")
    command.add_argument("--long-run", type=Path, default=kept / "long.json", help="what `make fault-long` left")
    command.add_argument("--mutants", type=Path, default=kept / "mutants.json", help="what `make mutants-all` left")


def draw_of(word: str, every: str) -> str:
    """The draw that a word names: the first ten digits of a commit's hash; HEAD names the commit of this tree.

    Args:
        word: what `--draw` was given.
        every: the command that needs no draw, for the sentence.

    Raises:
        ConfigError: it is no commit's hash, or HEAD where git knows no commit.
    """
    drawn = head() if word == _HEAD else word.lower()
    if not drawn and word == _HEAD:
        raise ConfigError(
            f"git knows no commit of this folder to draw by: name one, --draw 0123456789, or run all: {every}"
        )
    if not re.fullmatch(rf"[0-9a-f]{{{_DIGITS},64}}", drawn):
        raise ConfigError(f"--draw: {word!r} is no commit's hash of at least ten digits, and not HEAD")
    return drawn[:_DIGITS]


def _seeds(text: str) -> tuple[int, ...]:
    if not re.fullmatch(r"\d+(,\d+)*", text):
        raise argparse.ArgumentTypeError(f"{text!r} is no number, nor several with commas between them")
    return tuple(map(int, text.split(",")))
