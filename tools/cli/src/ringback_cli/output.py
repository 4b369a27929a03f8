"""What a person or a program reads: a table, a sentence, a progress bar; or one JSON document with `--json`."""

import json
import re
from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Annotated, Any, TypeVar

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.progress import track as rich_track
from rich.table import Table
from rich.text import Text
from ringback_common.errors import ConfigError

__all__ = ["Json", "advancing", "harmless", "moment", "show", "tell", "track"]

_Item = TypeVar("_Item")
_people = Console(stderr=True)
_out = Console(soft_wrap=True)

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")

Json = Annotated[bool, typer.Option("--json", help="One JSON document instead of a table.")]


def show(title: str, columns: Sequence[str], rows: Sequence[Sequence[Any]], *, as_json: bool) -> None:
    """Rows under a title; without rows the title with `none`."""
    if as_json:
        typer.echo(json.dumps([dict(zip(columns, row, strict=True)) for row in rows], default=str))
        return
    if not rows:
        _out.print(f"{title}: none", markup=False)
        return
    table = Table(title=title, title_justify="left")
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*(_cell(value) for value in row))
    _out.print(table)


def tell(sentence: str) -> None:
    """One sentence for the person, beside the output."""
    _people.print(sentence, markup=False)


def track(items: Sequence[_Item], what: str) -> Iterable[_Item]:
    """The items, with a progress bar where somebody looks."""
    return rich_track(items, description=what, console=_people, disable=not _people.is_terminal)


@contextmanager
def advancing(total: int, what: str) -> Generator[Callable[[int], None]]:
    """A function to tell how many more are done, with a progress bar where somebody looks."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=_people, disable=not _people.is_terminal) as bar:
        task = bar.add_task(what, total=total)
        yield lambda more: bar.advance(task, more)


def moment(text: str | None, option: str) -> datetime | None:
    """A time as an operator writes it, ISO 8601; without an offset it is UTC.

    Raises:
        ConfigError: it is none.
    """
    if text is None:
        return None
    try:
        told = datetime.fromisoformat(text)
    except ValueError:
        raise ConfigError(f"{option} takes a time like 2026-11-22 or 2026-11-22T09:30:00Z.") from None
    return told if told.tzinfo is not None else told.replace(tzinfo=UTC)


def harmless(text: str) -> str:
    """A text that others wrote, unable to steer the terminal it is shown on."""
    return _CONTROL.sub(lambda found: f"\\x{ord(found[0]):02x}", text)


def _cell(value: Any) -> Text:
    """A value as text and nothing else: what others wrote is not to be taken for markup either."""
    if isinstance(value, datetime):
        return Text(value.strftime("%Y-%m-%d %H:%M:%S"))
    return Text("" if value is None else harmless(str(value)))
