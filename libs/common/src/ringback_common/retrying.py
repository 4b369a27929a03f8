"""The one loop that tries again until something works.

There is no limit of tries: what is tried here must be done before anything else may go on. To end earlier, cancel the
task. Waits are measured by the event loop's clock, so a test needs a loop in virtual time and no clock besides.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import NamedTuple, TypeVar

from ringback_common.backoff import Backoff
from ringback_common.errors import Throttled, Transient

__all__ = ["FailedAttempt", "until_it_works"]

T = TypeVar("T")


class FailedAttempt(NamedTuple):
    """A try that failed.

    Attributes:
        failure: what the try raised.
        attempt: how many tries have failed by now, this one included.
        wait: seconds until the next try.
    """

    failure: Exception
    attempt: int
    wait: float


async def until_it_works(
    attempt: Callable[[], Awaitable[T]],
    backoff: Backoff,
    report: Callable[[FailedAttempt], None],
    *,
    on: type[Exception] | tuple[type[Exception], ...] = Transient,
    report_every: float = 0.0,
) -> T:
    """Try until it works, and return what the try returned.

    After a `Throttled` the wait is what the other side asked for; it counts as a failure all the same.

    Args:
        attempt: one try.
        backoff: the waits between tries.
        report: called before each wait, to log and count in the caller's words.
        on: the exceptions after which it is tried again; any other one is raised at once.
        report_every: seconds that pass at least between two reports.

    Raises:
        Exception: whatever a try raises that is not of `on`.
        asyncio.CancelledError: the task was cancelled, during a try or a wait.
    """
    failures, clock = 0, asyncio.get_running_loop().time
    reported = float("-inf")
    while True:
        try:
            return await attempt()
        except on as failure:
            failures += 1
            wait = failure.retry_after if isinstance(failure, Throttled) else backoff.after(failures)
            if clock() - reported >= report_every:
                reported = clock()
                report(FailedAttempt(failure, failures, wait))
        await asyncio.sleep(wait)
