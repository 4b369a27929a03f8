"""`ringback-local`: the whole of Ringback on this machine."""

import argparse
import os
import sys
from collections.abc import Sequence

from ringback_local.exits import exit_code
from ringback_local.named import left_out
from ringback_local.prepare import need_engine, prepare
from ringback_local.signals import interruptible
from ringback_local.sites import SITES
from ringback_local.stack import StackOptions
from ringback_local.up import run_up

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit codes: 0; 1 when something did not start, or Ctrl-C came before it had; 2 when something is lacking."""
    options = _parser().parse_args(arguments)
    if options.command == "up" and (sentence := left_out(os.environ)):
        sys.stderr.write(f"{sentence}\n")
    return exit_code(lambda: _COMMANDS[options.command](options))


def _up(given: argparse.Namespace) -> int:
    options = StackOptions(tenants=given.tenants, time_scale=given.time_scale, seed=given.seed, sites=SITES)
    return interruptible(lambda: run_up(options))


def _prepare(_: argparse.Namespace) -> int:
    prepare()
    return 0


def _engine(_: argparse.Namespace) -> int:
    need_engine()
    return 0


_COMMANDS = {"up": _up, "prepare": _prepare, "engine": _engine}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="ringback-local", description="Ringback on one machine.")
    commands = parser.add_subparsers(dest="command", required=True)
    up = commands.add_parser("up", help="run everything in the foreground until Ctrl-C")
    up.add_argument("--tenants", type=int, default=3, help="how many tenants the simulator has")
    up.add_argument("--time-scale", type=float, default=60.0, help="how much faster Graph's slowness passes")
    up.add_argument("--seed", type=int, default=1, help="of the simulator")
    commands.add_parser("engine", help="end with 2 and a sentence where no Docker engine answers")
    commands.add_parser("prepare", help="fetch what Kafka needs now, so that nothing has to be fetched later")
    return parser


if __name__ == "__main__":
    sys.exit(main())
