"""`ringback-graph-simulator serve`."""

import argparse
import asyncio
import os
import signal
import sys
from pathlib import Path

import orjson
import uvloop

from ringback_graph_simulator.app import Simulator
from ringback_graph_simulator.options import Options

__all__ = ["main"]

_LAST_PORT = 65_535


def main(arguments: list[str] | None = None) -> int:
    """Serve until SIGTERM or SIGINT; 0 after a graceful stop, 2 for a mistake in the options."""
    options = _options(arguments)
    try:
        uvloop.run(_serve(options))
    except (OSError, ValueError, KeyError) as error:
        sys.stderr.write(f"The simulator cannot start: {error}\n")
        return 2
    return 0


async def _serve(options: Options) -> None:
    stop, loop = asyncio.Event(), asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    async with Simulator(options) as simulator:
        line = orjson.dumps(simulator.ready | {"pid": os.getpid()}).decode()
        sys.stdout.write(f"{line}\n")
        sys.stdout.flush()
        await simulator.until(stop)


def _options(arguments: list[str] | None) -> Options:
    parser = argparse.ArgumentParser(
        prog="ringback-graph-simulator", description="Microsoft Graph's call-record API, simulated."
    )
    serve = parser.add_subparsers(dest="command", required=True).add_parser("serve", help="serve until stopped")
    add = serve.add_argument
    add("--workdir", type=Path, required=True, help="folder for the CA, the server key and the ledger")
    add("--host", default="127.0.0.1", help="address to listen on")
    add("--public-host", default="localhost", help="host name in the URLs handed out")
    add("--port", type=int, default=0, help="Graph and authority port; 0 takes a free one")
    add("--control-port", type=int, default=0, help="control API port, on loopback; 0 takes a free one")
    add("--seed", type=int, default=1, help="decides people, records and chances")
    add("--time-scale", type=float, default=1.0, help="divides Graph's own waits")
    add("--tenants", dest="tenants_file", type=Path, help="tenants to register, as POST /control/tenants takes them")
    add("--http-host", dest="http_hosts", action="append", default=[], help="host whose notification URLs may be http")
    add("--trust-ca", type=Path, help="CA of https notification URLs")
    chosen = vars(parser.parse_args(arguments))
    del chosen["command"]
    if not all(0 <= chosen[name] <= _LAST_PORT for name in ("port", "control_port")):
        parser.error(f"a port is a number from 0 to {_LAST_PORT}")
    if chosen["time_scale"] <= 0:
        parser.error("--time-scale must be greater than 0")
    chosen["http_hosts"] = tuple(chosen["http_hosts"])
    return Options(**chosen)


if __name__ == "__main__":
    sys.exit(main())
