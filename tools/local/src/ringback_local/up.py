"""`ringback-local up`: the whole stack in the foreground until Ctrl-C."""

import asyncio

import orjson
from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from ringback_local.health_table import health_table
from ringback_local.reach import ways
from ringback_local.signals import until_signal
from ringback_local.stack import Stack, StackOptions
from ringback_local.workday import order_of

__all__ = ["run_up"]

_REFRESH_SECONDS = 0.5
_CALLS, _SECONDS = 600, 30.0
"""What the printed command orders, and in how many seconds Graph notifies of it."""
_NO_CALLS = f"No call happens by itself: the command of the line above lets Graph notify of {_CALLS}."


async def run_up(options: StackOptions) -> int:
    """Run the stack until SIGINT or SIGTERM; returns the exit code.

    Raises:
        ConfigError: no Kafka or PostgreSQL can be run here, or a process was given a wrong setting.
        StartFailed: something did not start.
    """
    console = Console()
    console.print("Starting Kafka, PostgreSQL, the Graph simulator and the services ...")
    async with Stack(options) as stack:
        console.print("\n".join([*ways(stack.reach), _calls(stack)]), soft_wrap=True, markup=False, highlight=False)
        await until_signal(_show(console, stack))
        console.print("Stopping ...")
    return 0


async def _show(console: Console, stack: Stack) -> None:
    with Live(_shown(stack), console=console, refresh_per_second=4) as live:
        while True:
            live.update(_shown(stack))
            await asyncio.sleep(_REFRESH_SECONDS)


def _shown(stack: Stack) -> Group:
    return Group(health_table([*stack.servers(), *stack.health()]), Text("Ctrl-C stops everything.", style="dim"))


def _calls(stack: Stack) -> str:
    """The command that lets calls happen, for none do by themselves."""
    order = orjson.dumps(order_of(stack.options.seed, stack.tenants, _CALLS, _SECONDS)).decode()
    command = f"curl -s -X POST {stack.simulator.control_url}/control/workday -d '{order}'"
    return f"calls       {command}\n{_NO_CALLS}"
