"""The operator's command. Dry-run by default where it changes anything; `--yes` acts, `--json` for programs."""

import logging
import sys
from importlib.metadata import version
from typing import Annotated

import typer
from ringback_common.errors import ConfigError, Transient

from ringback_cli import acls, dead_letters, digest, look, topics
from ringback_cli.replay import replay
from ringback_cli.resume import resume

__all__ = ["app", "main"]

app = typer.Typer(
    name="ringback", help=__doc__, no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False
)


def _said(asked: bool) -> None:  # noqa: FBT001 - as typer calls it
    """Print the version, if that is asked for."""
    if asked:
        typer.echo(f"ringback {version('ringback-cli')}")
        raise typer.Exit


@app.callback()
def root(
    *,
    _version: Annotated[
        bool, typer.Option("--version", help="Print the version and end.", callback=_said, is_eager=True)
    ] = False,
) -> None:
    """The operator's command. Dry-run by default where it changes anything; `--yes` acts, `--json` for programs."""


app.add_typer(topics.commands, name="topics")
app.add_typer(acls.commands, name="acls")
app.add_typer(dead_letters.commands, name="dlq")
app.add_typer(digest.commands, name="store")
app.command()(look.status)
app.command()(look.lookup)
app.command()(resume)
app.command()(replay)


def main() -> None:
    """Run the command: exit 0, 1 if it failed or found a difference, 2 if a setting is wrong."""
    logging.basicConfig(handlers=[logging.NullHandler()])  # a library's own words never reach the operator
    try:
        app()
    except ConfigError as mistake:
        sys.stderr.write(f"{mistake}\n")
        raise SystemExit(2) from None
    except Transient as failed:
        sys.stderr.write(f"{failed}\n")
        raise SystemExit(1) from None


if __name__ == "__main__":
    main()
