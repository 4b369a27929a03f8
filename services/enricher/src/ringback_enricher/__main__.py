"""`ringback-enricher fetch|rederive`: one process each."""

import sys
from argparse import ArgumentParser, ArgumentTypeError, Namespace
from collections.abc import Sequence
from functools import partial
from importlib.metadata import version
from typing import NoReturn

from ringback_common.process import run
from ringback_events.keys import canonical_id

__all__ = ["main"]

_DEFAULT_RATE = 200.0
"""Publications a second: twice the largest tenants' peak, and less than one core derives."""


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the process that is named; exit 0 after a stop, 1 on a bug, 2 on a configuration mistake.

    `rederive` also ends with 1 when something could not be derived again, or when it was stopped before the end.
    """
    parser = ArgumentParser(prog="ringback-enricher", description="Fetches whole call records and publishes them.")
    parser.add_argument("--version", action="version", version=f"%(prog)s {version('ringback-enricher')}")
    processes = parser.add_subparsers(dest="process", required=True)
    processes.add_parser("fetch", help="fetch what the lanes ask for, until it is stopped")
    _rederive_arguments(
        processes.add_parser("rederive", help="derive the records that are kept again by this release's revision")
    )
    given = parser.parse_args(arguments)
    # Imported by need: a re-derivation does not load the Graph client.
    if given.process == "fetch":
        from ringback_enricher.app import serve  # noqa: PLC0415

        run(serve)
    _rederive(given)


def _rederive_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--yes", action="store_true", help="act; without it the plan is printed, no more")
    parser.add_argument("--json", action="store_true", help="one JSON document instead of sentences")
    parser.add_argument(
        "--max-rate",
        type=_rate,
        default=_DEFAULT_RATE,
        metavar="N",
        help="publications a second (default: %(default)g)",
    )
    parser.add_argument(
        "--history", action="store_true", help="also the older versions of each call, for the rows of call_version"
    )
    parser.add_argument(
        "--tenant", action="append", default=[], metavar="ID", help="only this tenant's; may be given several times"
    )
    parser.add_argument(
        "--why", default="rules_changed", help="the reason for the audit trail, e.g. a ticket; no names"
    )


def _rate(given: str) -> float:
    try:
        rate = float(given)
    except ValueError:
        rate = 0.0
    if not 0.01 <= rate <= 100_000:  # noqa: PLR2004 - bounds that only a slip of the finger passes; false for nan, too
        raise ArgumentTypeError(f"a rate is a number of publications a second from 0.01 to 100000, not {given!r}")
    return rate


def _rederive(given: Namespace) -> NoReturn:
    from ringback_enricher.rederive.app import Options, serve  # noqa: PLC0415

    options = Options(
        acts=given.yes,
        as_json=given.json,
        max_rate=given.max_rate,
        history=given.history,
        tenants=frozenset(canonical_id(tenant) for tenant in given.tenant),
        why=given.why,
    )
    run(partial(serve, options))


if __name__ == "__main__":
    main(sys.argv[1:])
