"""The command `ringback-faults`."""

import argparse
import asyncio
import os
import resource
import signal
import sys
from collections.abc import Coroutine, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from ringback_local.exits import exit_code
from ringback_local.folders import local_folder
from ringback_local.named import left_out
from ringback_local.signals import interruptible

from ringback_faults.arguments import draw_of, parser
from ringback_faults.demo.command import run_demo
from ringback_faults.lane import Errand, run_errand
from ringback_faults.mutants.command import MutantsOptions, run_mutants
from ringback_faults.mutants.report import MutantsRun
from ringback_faults.page import page
from ringback_faults.result import Run, read_run
from ringback_faults.row import read_rows
from ringback_faults.run import RunOptions, run, wanted_rows
from ringback_faults.worlds import read_world

__all__ = ["main"]

_ROOT = Path(__file__).resolve().parents[4]
_FOLDER = _ROOT / "tests" / "fault"
_FILES = 16_384


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit codes: 0 if every row is clean, 1 if one is not or something did not start, 2 for a mistake in a file."""
    options = parser(_FOLDER).parse_args(arguments)
    return exit_code(lambda: _COMMANDS[options.command](options))


def _run(options: argparse.Namespace) -> int:
    return asyncio.run(_ended_by_signal(run(_options(options), _console())))


def _console() -> Console:
    """A log of CI is wide, whatever it says of itself."""
    return Console(width=None if sys.stdout.isatty() else 160)


def _lane(options: argparse.Namespace) -> int:
    wanted = _options(options)
    order = {name: place for place, name in enumerate(wanted.names)}
    rows = sorted(wanted_rows(wanted), key=lambda row: order[row.row])
    kind = read_world(wanted.worlds, rows[0].world)
    _open_many_files()
    errand = Errand(kind, rows, options.seed[0], wanted.overlay, keep=not options.discard)
    asyncio.run(_ended_by_signal(run_errand(errand)))
    return 0


def _open_many_files() -> None:
    """As many as rows with thousands of clients take, if the machine allows it; what is started inherits it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _FILES if hard == resource.RLIM_INFINITY else min(hard, _FILES)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def _mutants(options: argparse.Namespace) -> int:
    names = tuple(name for name in options.only.split(",") if name)
    draw = draw_of(options.draw, "make mutants-all") if options.draw is not None and not names else None
    kind = "some-mutants" if names or draw or options.bare else "mutants"
    file = options.json or local_folder() / "faults" / f"{kind}.json"
    wanted = MutantsOptions(_ROOT, names, draw, options.seed, options.lanes, file, controls=not options.bare)
    return asyncio.run(_ended_by_signal(run_mutants(wanted, _console())))


def _demo(options: argparse.Namespace) -> int:
    if sentence := left_out(os.environ, own_servers=True):
        sys.stderr.write(f"{sentence}\n")
    return interruptible(lambda: run_demo(_FOLDER, options.seed, Console()))


def _page(options: argparse.Namespace) -> int:
    head = (_FOLDER / "reliability.md.in").read_text(encoding="utf-8")
    kept = [("The last run", read_run(options.run, Run)), ("The last long run", read_run(options.long_run, Run))]
    runs = [(heading, run) for heading, run in kept if run is not None]
    mutants = read_run(options.mutants, MutantsRun)
    sys.stdout.write(page(head, read_rows(_FOLDER / "rows"), runs, mutants))
    return 0


async def _ended_by_signal(main: Coroutine[Any, Any, Any]) -> Any:
    """Ctrl-C and SIGTERM cancel it, so that every process it started is stopped."""
    task = asyncio.ensure_future(main)
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, task.cancel)
    return await task


def _options(options: argparse.Namespace) -> RunOptions:
    """The page of reliability reads last.json and long.json, so that only runs of all rows go there."""
    draw = draw_of(options.draw, "make fault-all") if options.draw is not None and not options.rows else None
    narrowed = options.rows or draw or options.world or options.overlay or options.folder != _FOLDER
    kind = "some" if narrowed else "long" if options.long else "last"
    return RunOptions(
        folder=options.folder,
        worlds=options.worlds or options.folder / "worlds",
        names=tuple(name for name in options.rows.split(",") if name),
        draw=draw,
        world=options.world,
        seeds=options.seed,
        lanes=options.lanes,
        long=options.long,
        overlay=options.overlay,
        json=options.json or local_folder() / "faults" / f"{kind}.json",
        resume=options.resume,
    )


_COMMANDS = {"run": _run, "demo": _demo, "lane": _lane, "mutants": _mutants, "page": _page}

if __name__ == "__main__":
    sys.exit(main())
