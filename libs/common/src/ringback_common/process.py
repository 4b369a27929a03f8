"""How a process begins and ends: one event loop, one stop signal, three exit codes."""

import asyncio
import os
import signal
import sys
from collections.abc import Awaitable, Callable
from importlib.metadata import version
from typing import Any, NoReturn, TextIO

import uvloop

from ringback_common import log_values, logs, traces
from ringback_common.errors import BeginAnew, ConfigError
from ringback_common.metrics import PROCESS_INFO
from ringback_common.settings import EnvironmentSettings, ProcessSettings, TelemetrySettings, unread

__all__ = ["EXIT_CONFIGURATION", "EXIT_CRASH", "EXIT_OK", "begin", "run"]

EXIT_OK, EXIT_CRASH, EXIT_CONFIGURATION = 0, 1, 2

Main = Callable[[asyncio.Event], Awaitable[int | None]]
"""The body of a process: runs until the event is set, then finishes its work; returns an exit code, None for 0."""

_log = logs.logger(__name__)


def begin(process: str, settings: EnvironmentSettings, log_stream: TextIO | None = None) -> None:
    """Turn logs, traces and the process' own metric on, and name the variables that no process reads.

    Args:
        process: the name in logs, traces and metrics.
        settings: a process without telemetry settings, such as a job, gets their defaults.
        log_stream: another place for the log than standard output, for a command whose answer goes there.
    """
    telemetry = settings.telemetry if isinstance(settings, ProcessSettings) else TelemetrySettings()
    logs.configure(process, telemetry.log_level, log_stream)
    if isinstance(settings, ProcessSettings):
        log_values.allow(server.rpartition(":")[0] or server for server in settings.kafka.servers)
        log_values.prefixed(settings.kafka.topic_prefix)
    traces.configure(process, endpoint=telemetry.otlp_endpoint, ratio=telemetry.trace_ratio)
    PROCESS_INFO.labels(process, version("ringback-common")).set(1)  # all members are released under one version
    for name in unread(os.environ):
        _log.warning("A variable that no process reads; it may be misspelt.", setting=name)


def run(main: Main) -> NoReturn:
    """Run a process to its end and exit: 0 after SIGTERM or SIGINT, 1 on a bug, 2 on a configuration mistake.

    A `BeginAnew` also exits with 1, logged as a warning: the orchestrator's next process is all that is needed.

    Raises:
        SystemExit: always, with that code.
    """
    try:
        code = uvloop.run(_until_signal(main))
    except ConfigError as mistake:
        sys.stderr.write(f"{mistake}\n")
        raise SystemExit(EXIT_CONFIGURATION) from None
    except BeginAnew as needed:
        _log.warning("The process ends to begin anew.", reason=str(needed))
        raise SystemExit(EXIT_CRASH) from None
    except Exception as failure:  # noqa: BLE001 - nothing above catches a bug: it is logged with its place before the process ends
        _log.error("The process ends on an unexpected failure.", failure=failure)
        raise SystemExit(EXIT_CRASH) from None
    raise SystemExit(code or EXIT_OK)


async def _until_signal(main: Main) -> int | None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(_log_unawaited)
    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, stop.set)
    return await main(stop)


def _log_unawaited(_loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """Log a failure that no code awaits; asyncio's own line would have its message, which may quote data."""
    _log.error("A failure in a task that no code awaits.", failure=context.get("exception"))
