"""What a person or a program reads: a table, a sentence, a progress bar; or one JSON document with `--json`.

A table that is wider than the terminal, or than 80 columns where there is none, is written without lines and with
folded heads, or else record by record. In JSON numbers are numbers, times RFC 3339 in UTC, and no string holds JSON.
"""

import json
import re
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime
from decimal import Decimal
from math import isfinite
from typing import Annotated, Any, TypeVar, cast

import typer
from rich.cells import cell_len
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.progress import track as rich_track
from rich.table import Table
from rich.text import Text
from ringback_common.errors import ConfigError
from ringback_events.times import wire_time

__all__ = [
    "Json",
    "advancing",
    "days",
    "document",
    "harmless",
    "moment",
    "number",
    "show",
    "tell",
    "tenant_id",
    "track",
    "window",
]

_Item = TypeVar("_Item")
_people = Console(stderr=True)
_out = Console()

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_GUID = re.compile(r"[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}")
_GAP = 2
"""Blanks between two columns of a table without lines."""
_WHOLE = re.compile(r"-?\d{1,15}")

Json = Annotated[bool, typer.Option("--json", help="One JSON document instead of a table.")]


def show(title: str, columns: Sequence[str], rows: Sequence[Sequence[Any]], *, as_json: bool) -> None:
    """Rows under a title; without rows the title with `none`."""
    if as_json:
        document([dict(zip(columns, row, strict=True)) for row in rows])
        return
    if not rows:
        _out.print(f"{title}: none", markup=False)
        return
    cells = [[_cell(value) for value in row] for row in rows]
    narrow = [_width(name.split("_"), at, cells) for at, name in enumerate(columns)]
    if sum(_width([name], at, cells) + 3 for at, name in enumerate(columns)) < _out.width:
        _out.print(_table(title, columns, cells))
    elif sum(narrow) + _GAP * len(columns) <= _out.width:
        _out.print(_compact(title, columns, cells, narrow))
    else:
        _print_records(title, columns, cells)


def document(content: object) -> None:
    """One JSON document on standard output; a number that JSON has no form for is null."""
    typer.echo(json.dumps(_finite(content), default=_plain, allow_nan=False))


def _finite(content: object) -> object:
    """The same with null for what is no number, or an infinite one, however deep it lies."""
    if isinstance(content, float):
        return content if isfinite(content) else None
    if isinstance(content, Mapping):
        return {name: _finite(value) for name, value in cast("Mapping[str, object]", content).items()}
    if isinstance(content, list | tuple):
        return [_finite(value) for value in cast("Sequence[object]", content)]
    return content


def _plain(value: object) -> Any:
    """What JSON has no form for: times become RFC 3339, PostgreSQL's numerics numbers, the rest its text."""
    if isinstance(value, datetime):
        return wire_time(value)
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Decimal):
        if not value.is_finite():
            return None
        return int(value) if value == value.to_integral_value() else float(value)
    return str(value)


def number(text: str) -> int | str:
    """A whole number that others write as text, as a number; anything else as it is."""
    return int(text) if _WHOLE.fullmatch(text) else text


def _table(title: str, columns: Sequence[str], cells: Sequence[Sequence[Text]]) -> Table:
    table = Table(title=title, title_justify="left")
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in cells:
        table.add_row(*row)
    return table


def _compact(title: str, columns: Sequence[str], cells: Sequence[Sequence[Text]], widths: Sequence[int]) -> Table:
    """The same without lines; a head is folded between its words."""
    table = Table(title=title, title_justify="left", box=None, padding=(0, _GAP, 0, 0), pad_edge=False)
    for column, width in zip(columns, widths, strict=True):
        table.add_column(column.replace("_", " "), width=width, overflow="fold")
    for row in cells:
        table.add_row(*row)
    return table


def _width(words: Sequence[str], at: int, cells: Sequence[Sequence[Text]]) -> int:
    """Columns of the terminal that a column of the table takes: its longest cell, or word of its head."""
    return max(*map(cell_len, words), *(row[at].cell_len for row in cells))


def _print_records(title: str, columns: Sequence[str], cells: Sequence[Sequence[Text]]) -> None:
    """Each row as lines of name and value, an empty line between two; what is empty is left out."""
    _out.print(Text(title, style="italic"))
    for at, row in enumerate(cells):
        grid = Table.grid(padding=(0, 2))
        grid.add_column(no_wrap=True)
        grid.add_column(overflow="fold")
        for name, cell in zip(columns, row, strict=True):
            if cell.plain:
                grid.add_row(Text(f"  {name}"), cell)
        _out.print(grid, *([""] if at + 1 < len(cells) else []))


def tell(sentence: str) -> None:
    """One sentence for the person, beside the output."""
    _people.print(sentence, markup=False)


def track(items: Sequence[_Item], what: str) -> Iterable[_Item]:
    """The items, with a progress bar on a terminal."""
    return rich_track(items, description=what, console=_people, disable=not _people.is_terminal)


@contextmanager
def advancing(total: int, what: str) -> Generator[Callable[[int], None]]:
    """A function that takes how many more are done, with a progress bar on a terminal."""
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
        reported = datetime.fromisoformat(text)
    except ValueError:
        raise ConfigError(f"{option} takes a time like 2026-11-22 or 2026-11-22T09:30:00Z.") from None
    return reported if reported.tzinfo is not None else reported.replace(tzinfo=UTC)


def window(
    since: str | None, until: str | None, options: tuple[str, str] = ("--from", "--to")
) -> tuple[datetime | None, datetime | None]:
    """From when, and until when; None for an end that is open.

    Raises:
        ConfigError: one of them is no time, or nothing lies between them.
    """
    begin, end = moment(since, options[0]), moment(until, options[1])
    if begin is not None and end is not None and end <= begin:
        raise ConfigError(f"{options[1]} must be later than {options[0]}: nothing lies between {since} and {until}.")
    return begin, end


def days(since: str | None, until: str | None) -> tuple[datetime | None, datetime | None]:
    """The same of whole days, UTC.

    Raises:
        ConfigError: as `window`, or one of them is no beginning of a day.
    """
    ends = window(since, until)
    for option, reported in zip(("--from", "--to"), ends, strict=True):
        if reported is not None and reported.astimezone(UTC).time() != datetime.min.time():
            raise ConfigError(f"{option} takes a whole day, UTC, like 2026-11-22.")
    return ends


def tenant_id(text: str | None) -> str | None:
    """The id of a tenant as the topics and the store have it.

    Raises:
        ConfigError: it is none, for instance the name of a domain.
    """
    if text is not None and not _GUID.fullmatch(text):
        raise ConfigError("--tenant takes the id of a tenant, like 11111111-2222-3333-4444-555555555555.")
    return None if text is None else text.lower()


def harmless(text: str) -> str:
    """A text that others wrote, unable to steer the terminal it is shown on."""
    return _CONTROL.sub(lambda found: f"\\x{ord(found[0]):02x}", text)


def _cell(value: Any) -> Text:
    """A value as text and nothing else: what others wrote is not to be taken for markup either."""
    return Text("" if value is None else harmless(_words(value)))


def _words(value: Any) -> str:
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%d %H:%M:%S")
    if isinstance(value, float):
        return str(round(value, 1)) if abs(value) >= 10 else f"{value:.3g}"  # noqa: PLR2004 - three digits either way
    if isinstance(value, Mapping):
        reported = cast("Mapping[str, Any]", value)
        return ", ".join(f"{name} {_words(each)}" for name, each in reported.items() if each is not None)
    if isinstance(value, list):
        return ", ".join(_words(each) for each in cast("list[Any]", value))
    return str(value)
