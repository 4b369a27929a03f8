"""`ringback-ingest webhook|keeper`: one process each."""

import sys
from argparse import ArgumentParser
from collections.abc import Sequence
from importlib.metadata import version
from typing import NoReturn

from ringback_common.process import run

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the process that is named; exit 0 after a stop, 1 on a bug, 2 on a configuration mistake."""
    parser = ArgumentParser(
        prog="ringback-ingest", description="Receives Graph's notifications, keeps its subscriptions."
    )
    parser.add_argument("--version", action="version", version=f"%(prog)s {version('ringback-ingest')}")
    parser.add_argument("process", choices=("webhook", "keeper"))
    # Imported by need: the webhook's process must not even load the Graph client.
    if parser.parse_args(arguments).process == "webhook":
        from ringback_ingest.webhook.app import serve  # noqa: PLC0415
    else:
        from ringback_ingest.keeper.app import serve  # noqa: PLC0415
    run(serve)


if __name__ == "__main__":
    main(sys.argv[1:])
