"""The health of every process as a table in the terminal. Pure."""

from collections.abc import Iterable

from rich.table import Table
from rich.text import Text

from ringback_local.supervised import ProcessHealth, State

__all__ = ["health_table"]

_COLOURS = {
    State.WAITING: "dim",
    State.STARTING: "yellow",
    State.READY: "green",
    State.NOT_READY: "yellow",
    State.RESTARTING: "red",
    State.STOPPED: "dim",
    State.MISCONFIGURED: "bold red",
}
_MIB = 1024 * 1024


def health_table(processes: Iterable[ProcessHealth]) -> Table:
    """One row a process."""
    table = Table(box=None, pad_edge=False, expand=False)
    for heading in ("process", "state", "pid", "restarts", "memory", "why"):
        table.add_column(heading, header_style="bold", overflow="ellipsis", no_wrap=True)
    for process in processes:
        table.add_row(
            process.name,
            Text(process.state, style=_COLOURS[process.state]),
            str(process.pid or "-"),
            str(process.restarts),
            f"{process.rss // _MIB} MiB",
            Text(process.reason, style="dim"),
        )
    return table
