"""`ringback-local`: the whole of Ringback on this machine."""

import argparse
import asyncio
import logging
import os
import signal
import sys
from collections.abc import Awaitable, Callable, Sequence

from rich.console import Console
from ringback_common.errors import ConfigError
from ringback_common.process import EXIT_CONFIGURATION, EXIT_CRASH

from ringback_local.demo.run import DemoOptions
from ringback_local.demo.run import run as run_demo
from ringback_local.named import left_out
from ringback_local.prepare import prepare
from ringback_local.servers import StartFailed
from ringback_local.sites import SITES
from ringback_local.stack import StackOptions
from ringback_local.up import run_up

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit codes: 0, 1 when something did not start, 2 when this machine or a setting lacks something."""
    options = _parser().parse_args(arguments)
    # Its warnings about topics just made and processes just killed would tear the live table; failures are raised.
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    if options.command != "prepare" and (sentence := left_out(os.environ)):
        sys.stderr.write(f"{sentence}\n")
    try:
        return _run(options)
    except ConfigError as mistake:
        sys.stderr.write(f"{mistake}\n")
        return EXIT_CONFIGURATION
    except StartFailed as failure:
        sys.stderr.write(f"{failure}\n")
        return EXIT_CRASH


def _run(options: argparse.Namespace) -> int:
    match options.command:
        case "prepare":
            prepare()
            return 0
        case "demo":
            return asyncio.run(_until_signal(lambda stop: run_demo(_demo_options(options), Console(), stop)))
        case _:
            given, scale = options, options.time_scale
            stack = StackOptions(tenants=given.tenants, time_scale=scale, seed=given.seed, sites=SITES)
            return asyncio.run(_until_signal(lambda stop: run_up(stack, stop)))


async def _until_signal(main: Callable[[asyncio.Event], Awaitable[int]]) -> int:
    stop = asyncio.Event()
    for name in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(name, stop.set)
    return await main(stop)


def _demo_options(options: argparse.Namespace) -> DemoOptions:
    given = {name: getattr(options, name) for name in ("tenants", "calls", "seconds", "time_scale", "seed")}
    return DemoOptions(**{name: value for name, value in given.items() if value is not None})


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="ringback-local", description="Ringback on one machine.")
    commands = parser.add_subparsers(dest="command", required=True)
    up = commands.add_parser("up", help="run everything in the foreground until Ctrl-C")
    up.add_argument("--tenants", type=int, default=3, help="how many tenants the simulator has")
    up.add_argument("--time-scale", type=float, default=60.0, help="how much faster Graph's slowness passes")
    up.add_argument("--seed", type=int, default=1, help="of the simulator")
    demo = commands.add_parser("demo", help="send a workday through everything, break things, and judge the outcome")
    demo.add_argument("--tenants", type=int, help="how many tenants")
    demo.add_argument("--calls", type=int, help="how many calls end in the course of the day")
    demo.add_argument("--seconds", type=float, help="real seconds over which they end")
    demo.add_argument("--time-scale", type=float, help="how much faster Graph's slowness passes")
    demo.add_argument("--seed", type=int, help="of the day; without it a new one each time")
    commands.add_parser("prepare", help="fetch what Kafka needs now, so that nothing has to be fetched later")
    return parser


if __name__ == "__main__":
    sys.exit(main())
