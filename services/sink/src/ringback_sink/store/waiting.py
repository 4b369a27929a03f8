"""Waiting for a store that cannot be reached yet: said every 10 s, ended by SIGTERM."""

import asyncio
from collections.abc import Awaitable, Callable

from ringback_common import logs
from ringback_common.clock import Clock
from ringback_common.errors import Transient

__all__ = ["until_reachable"]

_PAUSE, _SAID_EVERY = 1.0, 10.0

_log = logs.logger(__name__)


async def until_reachable(attempt: Callable[[], Awaitable[None]], stop: asyncio.Event, clock: Clock) -> bool:
    """Repeat an attempt until the store can be reached; False if the process was stopped before.

    Args:
        attempt: what to do first with the store; raises Transient while it is away.
        stop: ends the waiting.
        clock: for how often it is said.

    Raises:
        ConfigError: waiting will not help.
    """
    said = clock.monotonic() - _SAID_EVERY
    while not stop.is_set():
        try:
            await attempt()
        except Transient as failure:
            if clock.monotonic() - said >= _SAID_EVERY:
                said = clock.monotonic()
                _log.warning("The store cannot be reached; waiting for it.", reason=str(failure))
            await _pause(stop)
        else:
            return True
    return False


async def _pause(stop: asyncio.Event) -> None:
    try:
        async with asyncio.timeout(_PAUSE):
            await stop.wait()
    except TimeoutError:
        return
