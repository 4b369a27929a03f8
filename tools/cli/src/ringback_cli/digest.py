"""`ringback store digest`: whether two stores, or one before and after, hold the same calls."""

import asyncio
from datetime import datetime
from typing import Annotated

import typer

from ringback_cli import store
from ringback_cli.output import Json, days, show
from ringback_cli.store import Row, Store

__all__ = ["commands"]

commands = typer.Typer(help="The store as a whole.", no_args_is_help=True)
COLUMNS = ("day", "table", "rows", "digest")
OF_THE_WAY = ("call_key", "stored_at", "first_stored_at", "fetched_at", "received_at")
"""Columns that say when something came, which differs from one way to the next; what came does not."""

From = Annotated[str | None, typer.Option("--from", help="Calls that began on this day or later, UTC.")]
To = Annotated[str | None, typer.Option("--to", help="Calls that began before this day.")]


@commands.callback()
def store_group() -> None:
    """The store as a whole."""


@commands.command()
def digest(*, since: From = None, until: To = None, as_json: Json = False) -> None:
    """A digest of the content of each table, day by day, whatever the order it was written in."""
    rows = asyncio.run(_digests(*days(since, until)))
    show("Digests", COLUMNS, [tuple(row[name] for name in COLUMNS) for row in rows], as_json=as_json)


async def _digests(since: datetime | None, until: datetime | None) -> list[Row]:
    async with Store.connect() as opened:
        return await opened.rows(store.DIGEST, OF_THE_WAY, since, until)
