"""The command `ringback-faults`."""

import argparse
import asyncio
import logging
import resource
import signal
import sys
from collections.abc import Coroutine, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from ringback_common.errors import ConfigError
from ringback_common.process import EXIT_CONFIGURATION, EXIT_CRASH
from ringback_local.folders import local_folder
from ringback_local.servers import StartFailed

from ringback_faults.lane import Errand, run_errand
from ringback_faults.mutants.command import MutantsOptions, run_mutants
from ringback_faults.mutants.report import read_report
from ringback_faults.page import page
from ringback_faults.result import read_run
from ringback_faults.row import read_rows
from ringback_faults.run import RunOptions, run, wanted_rows
from ringback_faults.worlds import read_world

__all__ = ["main"]

_ROOT = Path(__file__).resolve().parents[4]
_FOLDER = _ROOT / "tests" / "fault"
_FILES = 16_384


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit codes: 0 if every row is clean, 1 if one is not or something did not start, 2 for a mistake in a file."""
    options = _parser().parse_args(arguments)
    # Warnings about brokers that were just killed would tear the live table; failures are raised.
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    try:
        return _COMMANDS[options.command](options)
    except ConfigError as mistake:
        sys.stderr.write(f"{mistake}\n")
        return EXIT_CONFIGURATION
    except StartFailed as failure:
        sys.stderr.write(f"{failure}\n")
        return EXIT_CRASH
    except asyncio.CancelledError:
        sys.stderr.write("Interrupted.\n")
        return EXIT_CRASH


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
    errand = Errand(kind, rows, options.seed, wanted.overlay, keep=not options.discard)
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
    file = options.json or local_folder() / "faults" / "mutants.json"
    wanted = MutantsOptions(_ROOT, names, options.seed, options.lanes, file, controls=not options.bare)
    return asyncio.run(_ended_by_signal(run_mutants(wanted, _console())))


def _page(options: argparse.Namespace) -> int:
    head = (_FOLDER / "reliability.md.in").read_text(encoding="utf-8")
    kept = [("The last run", read_run(options.run)), ("The last long run", read_run(options.long_run))]
    runs = [(heading, run) for heading, run in kept if run is not None]
    mutants = read_report(options.mutants) if options.mutants.exists() else None
    sys.stdout.write(page(head, read_rows(_FOLDER / "rows"), runs, mutants))
    return 0


async def _ended_by_signal(main: Coroutine[Any, Any, Any]) -> Any:
    """Ctrl-C and SIGTERM cancel it, so that every process it started is stopped."""
    task = asyncio.ensure_future(main)
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, task.cancel)
    return await task


def _options(options: argparse.Namespace) -> RunOptions:
    narrowed = options.rows or options.world or options.overlay
    kind = "some" if narrowed else "long" if options.long else "last"
    return RunOptions(
        folder=options.folder,
        worlds=options.worlds or options.folder / "worlds",
        names=tuple(name for name in options.rows.split(",") if name),
        world=options.world,
        seed=options.seed,
        lanes=options.lanes,
        long=options.long,
        overlay=options.overlay,
        json=options.json or local_folder() / "faults" / f"{kind}.json",
        resume=options.resume,
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="ringback-faults", description="Breaks Ringback on purpose, and judges.")
    commands = parser.add_subparsers(dest="command", required=True)
    for name, words in (("run", "run rows and show the scorecard"), ("lane", "rows of one world; run starts these")):
        command = commands.add_parser(name, help=words)
        command.add_argument("--rows", "--row", default="", help="e.g. R1,R3; all without it")
        command.add_argument("--world", help="only rows of this world")
        command.add_argument("--seed", type=int, help="instead of three that are drawn and printed")
        command.add_argument("--lanes", type=int, default=3, help="installations at a time")
        command.add_argument("--long", action="store_true", help="the long form of each row that has one")
        command.add_argument("--overlay", type=Path, help="packages the services import instead of the installed ones")
        command.add_argument("--folder", type=Path, default=_FOLDER, help="where rows and worlds are")
        command.add_argument("--worlds", type=Path, help="where the worlds are, if not there")
        command.add_argument("--discard", action="store_true", help="keep no logs of a row that failed")
        command.add_argument("--json", type=Path, help="where the run is written after every row")
        command.add_argument("--resume", action="store_true", help="go on with the run in that file")
    mutants = commands.add_parser("mutants", help="plant bugs in copies of the services and run the rows against them")
    mutants.add_argument("--only", default="", help="e.g. M3,M7; all without it")
    mutants.add_argument("--bare", action="store_true", help="without the runs that show the rows green")
    mutants.add_argument("--seed", type=int, help="instead of one that is drawn and printed")
    mutants.add_argument("--lanes", type=int, default=3, help="installations at a time")
    mutants.add_argument("--json", type=Path, help="where the run is written")
    written = commands.add_parser("page", help="print docs/reliability.md, made of the last runs")
    kept = local_folder() / "faults"
    written.add_argument("--run", type=Path, default=kept / "last.json", help="what `make fault` left")
    written.add_argument("--long-run", type=Path, default=kept / "long.json", help="what `make fault-long` left")
    written.add_argument("--mutants", type=Path, default=kept / "mutants.json", help="what `make mutants` left")
    return parser


_COMMANDS = {"run": _run, "lane": _lane, "mutants": _mutants, "page": _page}

if __name__ == "__main__":
    sys.exit(main())
