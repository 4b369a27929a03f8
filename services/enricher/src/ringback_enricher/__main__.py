"""`ringback-enricher fetch`: one process."""

import sys
from argparse import ArgumentParser
from collections.abc import Sequence
from typing import NoReturn

from ringback_common.process import run

from ringback_enricher.app import serve

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the process that is named; exit 0 after a stop, 1 on a bug, 2 on a configuration mistake."""
    parser = ArgumentParser(prog="ringback-enricher", description="Fetches whole call records and publishes them.")
    parser.add_argument("process", choices=("fetch",))
    parser.parse_args(arguments)
    run(serve)


if __name__ == "__main__":
    main(sys.argv[1:])
