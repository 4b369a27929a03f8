"""`ringback-faults demo`: one row in an installation of its own, on a live screen, with a report at the end."""

import json
import os
import secrets
from contextlib import AsyncExitStack
from pathlib import Path

from rich.console import Console
from ringback_local.reach import ways
from ringback_local.servers import StartFailed
from ringback_local.signals import until_signal
from ringback_local.stack import Stack

from ringback_faults.actions import check_steps
from ringback_faults.arena import observe
from ringback_faults.demo.account import figures
from ringback_faults.demo.panel import open_screen
from ringback_faults.demo.report import show
from ringback_faults.oracle import check
from ringback_faults.oracle.index import index_of
from ringback_faults.row import DEMO, read_rows
from ringback_faults.worlds import open_world, read_world

__all__ = ["run_demo"]


async def run_demo(folder: Path, seed: int | None, console: Console) -> int:
    """Run the demo's row; 0 if it is clean and has its evidence, else 1. The last line printed is a JSON object.

    With CI=true in the environment it ends after the report, else everything stays up until Ctrl-C.

    Args:
        folder: tests/fault.
        seed: of every draw; None draws one.
        console: where everything is shown.

    Raises:
        ConfigError: this machine cannot run the installation.
        StartFailed: something did not start, or did not come back.
    """
    row = next(row for row in read_rows(folder / "rows") if row.row == DEMO)
    check_steps(row)
    seed = secrets.randbelow(1_000_000) if seed is None else seed
    console.print(f"{row.fault}, seed {seed}; starting everything …", soft_wrap=True)
    async with AsyncExitStack() as opened:
        world = await opened.enter_async_context(open_world(read_world(folder / "worlds", row.world), seed))
        screen = await opened.enter_async_context(open_screen(console, world.stack))
        _show_ways(console, world.stack)
        try:
            ledgers = await observe(world, row, seed, console.print, screen.watching)
        except ExceptionGroup as failed:  # of the steps, which run side by side
            raise StartFailed("\n".join(map(str, failed.exceptions))) from failed
        index, verdict = index_of(ledgers), check(ledgers, row.expect, row.judged)
        account = figures(ledgers, index, verdict)
        show(console, row.load.calls, ledgers, index, verdict, account)
        if os.environ.get("CI") != "true":
            _show_ways(console, world.stack)
            console.print("Everything stays up until Ctrl-C.")
            await until_signal(screen.show())
    console.file.write(json.dumps(account) + "\n")
    return 0 if verdict.clean else 1


def _show_ways(console: Console, stack: Stack) -> None:
    for way in ways(stack.reach):
        console.print(way, soft_wrap=True, markup=False, highlight=False)
