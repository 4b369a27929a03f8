"""The Retry-Afters of all processes of a kind, as entries of kind `throttle` in the control topic.

The process that received one may be stopped, killed or lose the partition before its time has passed (ADR 0028).
"""

import asyncio
import math
from contextlib import suppress
from datetime import timedelta

from ringback_common import logs
from ringback_common.backoff import Backoff
from ringback_common.clock import Clock
from ringback_common.errors import ConfigError, Transient
from ringback_common.retrying import FailedAttempt, until_it_works
from ringback_events.platform_events import ControlEntry

from ringback_stream.shared.control import ControlTable

__all__ = ["SharedThrottles"]

_log = logs.logger(__name__)

_THROTTLE = "throttle"
_SLACK = 1.0
"""Seconds added for the clocks of two machines, which differ by less where they are synchronised."""
_LONGEST = 86_400.0
"""Seconds; no Retry-After is believed beyond a day."""
_AGAIN = Backoff(1.0, 1.0)
_FLUSH_WITHIN = 5.0


class SharedThrottles:
    """The Retry-Afters of one process kind, e.g. of all `fetch`; the `ThrottleRegistry` of their governors."""

    def __init__(self, process: str, instance: str, control: ControlTable, clock: Clock) -> None:
        self._process = process
        self._by = f"{process}/{instance}"
        self._control = control
        self._clock = clock
        self._published: dict[str, float] = {}
        """Monotonic seconds until which it holds: a wall clock that is set right must not keep the next one back."""
        self._received: dict[str, tuple[ControlEntry, float]] = {}
        """The newest entry of another process, and the monotonic seconds until which it holds."""
        self._unwritten: dict[str, ControlEntry] = {}
        self._changed = asyncio.Event()

    def publish(self, tenant_id: str, seconds: float) -> None:
        """Have a Retry-After written soon, unless a longer one is known."""
        now = self._clock.monotonic()
        until = math.ceil(now + seconds)  # so that sixty requests that are refused together are written once
        if until <= max(self._published.get(tenant_id, 0.0), now + self.remaining(tenant_id)):
            return
        self._published[tenant_id] = until
        self._unwritten[tenant_id] = self._entry(tenant_id, until - now)
        self._changed.set()

    def remaining(self, tenant_id: str) -> float:
        """Seconds left of a Retry-After that another process received; 0 if there is none.

        Never more than the Retry-After of that process, from the first reading on: its clock may be far ahead.
        """
        entry = self._control.get(_THROTTLE, self._subject(tenant_id))
        if entry is None or entry.until is None or entry.by == self._by:
            return 0.0
        known, until = self._received.get(tenant_id, (None, 0.0))
        now = self._clock.monotonic()
        if entry is not known:
            left = min(entry.until - self._clock.now(), entry.until - entry.since).total_seconds()
            until = now + min(left, _LONGEST)
            self._received[tenant_id] = entry, until
        return max(0.0, until - now)

    async def run(self) -> None:
        """Write what is published, for ever; what Kafka does not take is tried again until its time has passed."""
        while True:
            await self._changed.wait()
            self._changed.clear()
            await until_it_works(self._write_all, _AGAIN, _report, on=(Transient, ConfigError))

    async def flush(self) -> None:
        """Write what is left at the end of the process; gives up after five seconds."""
        with suppress(TimeoutError, Transient, ConfigError):
            async with asyncio.timeout(_FLUSH_WITHIN):
                await self._write_all()

    async def _write_all(self) -> None:
        while self._unwritten:
            tenant_id, entry = next(iter(self._unwritten.items()))
            if self._published[tenant_id] > self._clock.monotonic():
                await self._control.write(entry)
            if self._unwritten.get(tenant_id) is entry:  # a longer one may have come while it was written
                del self._unwritten[tenant_id]

    def _entry(self, tenant_id: str, seconds: float) -> ControlEntry:
        since = self._clock.now()
        return ControlEntry(
            kind=_THROTTLE,
            subject=self._subject(tenant_id),
            reason="retry_after",
            since=since,
            by=self._by,
            until=since + timedelta(seconds=seconds + _SLACK),
        )

    def _subject(self, tenant_id: str) -> str:
        return f"{self._process}/{tenant_id}"


def _report(failed: FailedAttempt) -> None:
    _log.warning("A Retry-After was not written; trying again.", error_class=type(failed.failure).__name__)
