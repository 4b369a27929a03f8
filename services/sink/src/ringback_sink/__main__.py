"""`ringback-sink store|migrate`: one process each."""

import sys
from argparse import ArgumentParser
from collections.abc import Sequence
from importlib.metadata import version
from typing import NoReturn

from ringback_common.process import run

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the process that is named; exit 0 after a stop, 1 on a bug, 2 on a configuration mistake."""
    parser = ArgumentParser(prog="ringback-sink", description="Writes call records to a store, newest wins.")
    parser.add_argument("--version", action="version", version=f"%(prog)s {version('ringback-sink')}")
    parser.add_argument("process", choices=("store", "migrate"))
    # Imported by need: the store's process does not load the migration tools.
    if parser.parse_args(arguments).process == "store":
        from ringback_sink.store.app import serve  # noqa: PLC0415
    else:
        from ringback_sink.migrate import serve  # noqa: PLC0415
    run(serve)


if __name__ == "__main__":
    main(sys.argv[1:])
