"""How a command of the tools ends: what failed is a sentence, not a stack."""

import asyncio
import logging
import sys
from collections.abc import Callable

from ringback_common.errors import ConfigError
from ringback_common.process import EXIT_CONFIGURATION, EXIT_CRASH

from ringback_local.servers import StartFailed

__all__ = ["exit_code"]


def exit_code(command: Callable[[], int]) -> int:
    """Run a command; its exit code: 2 for a mistake in a setting or a file, 1 for a failure or an interruption."""
    # Its warnings about topics just made and brokers just killed would tear the live table; failures are raised.
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    try:
        return command()
    except ConfigError as mistake:
        sys.stderr.write(f"{mistake}\n")
        return EXIT_CONFIGURATION
    except StartFailed as failure:
        sys.stderr.write(f"{failure}\n")
    except (asyncio.CancelledError, KeyboardInterrupt):
        sys.stderr.write("Interrupted.\n")
    return EXIT_CRASH
