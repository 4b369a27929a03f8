"""What Ctrl-C and SIGTERM do to a command in the foreground: at once while it starts, in order once it is up."""

import asyncio
import signal
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any, NoReturn

__all__ = ["interruptible", "until_signal"]

_ENDING = (signal.SIGINT, signal.SIGTERM)


def interruptible(main: Callable[[], Coroutine[Any, Any, int]]) -> int:
    """Run a coroutine to its end; its result.

    Servers are started by code that blocks the event loop for seconds, so both signals raise KeyboardInterrupt wherever
    that code is; what was started is stopped on the way out.

    Raises:
        KeyboardInterrupt: it was interrupted outside `until_signal`.
    """
    before = [signal.signal(number, _interrupted) for number in _ENDING]
    try:
        return asyncio.run(main())
    finally:
        for number, handler in zip(_ENDING, before, strict=True):
            signal.signal(number, handler)


def _interrupted(*_: object) -> NoReturn:
    raise KeyboardInterrupt


async def until_signal(work: Coroutine[Any, Any, None]) -> None:
    """Do some work until one of the signals comes, which then is not an interruption but the end."""
    task, loop = asyncio.ensure_future(work), asyncio.get_running_loop()
    for number in _ENDING:
        loop.add_signal_handler(number, task.cancel)
    with suppress(asyncio.CancelledError):
        await task
