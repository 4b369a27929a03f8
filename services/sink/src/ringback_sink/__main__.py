"""`ringback-sink store|migrate`: one process each."""

import sys
from argparse import ArgumentParser
from collections.abc import Sequence
from typing import NoReturn

from ringback_common.process import run

from ringback_sink.store.app import apply_migrations, serve

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the process that is named; exit 0 after a stop, 1 on a bug, 2 on a configuration mistake."""
    parser = ArgumentParser(prog="ringback-sink", description="Writes call records to PostgreSQL, newest wins.")
    parser.add_argument("process", choices=("store", "migrate"))
    run(serve if parser.parse_args(arguments).process == "store" else apply_migrations)


if __name__ == "__main__":
    main(sys.argv[1:])
