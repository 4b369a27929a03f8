"""How long Graph asked to wait, told to whoever takes the tenant over: entries of kind `throttle` in the control topic.

Graph told one process, which may be stopped, killed or lose the partition before the time has passed (ADR 0028).
"""

import asyncio
import math
from contextlib import suppress
from datetime import timedelta

from ringback_common import logs
from ringback_common.backoff import Backoff
from ringback_common.clock import Clock
from ringback_common.errors import ConfigError, Transient
from ringback_common.retrying import Failed, until_it_works
from ringback_events.platform_events import ControlEntry

from ringback_stream.shared.control import ControlTable

__all__ = ["SharedWaits"]

_log = logs.logger(__name__)

_THROTTLE = "throttle"
_SLACK = 1.0
"""Seconds added for the clocks of two machines, which differ by less where somebody keeps them."""
_LONGEST = 86_400.0
"""Seconds; no Retry-After is believed beyond a day."""
_AGAIN = Backoff(1.0, 1.0)
_LAST_WORDS = 5.0


class SharedWaits:
    """What the members of one process kind, e.g. all of `fetch`, were told; the port `Waits` of the Graph client."""

    def __init__(self, process: str, instance: str, control: ControlTable, clock: Clock) -> None:
        self._process = process
        self._by = f"{process}/{instance}"
        self._control = control
        self._clock = clock
        self._until: dict[str, float] = {}
        """Monotonic seconds: a wall clock that was set right must not make this process keep what it is told."""
        self._heard: dict[str, ControlEntry | None] = {}
        self._unwritten: dict[str, ControlEntry] = {}
        self._news = asyncio.Event()

    def told(self, tenant_id: str, seconds: float) -> None:
        """Graph told this process to wait that long: to be written soon, unless a longer wait is known."""
        now = self._clock.monotonic()
        until = math.ceil(now + seconds)  # so that sixty requests that are refused together are told once
        if until <= max(self._until.get(tenant_id, 0.0), now + self._unheard(tenant_id)):
            return
        self._until[tenant_id] = until
        self._unwritten[tenant_id] = self._entry(tenant_id, until - now)
        self._news.set()

    def heard(self, tenant_id: str) -> float:
        """Seconds still to wait because of what another process was told, once for each time; else 0.

        Never more than that process was told: its clock may be far ahead.
        """
        left = self._unheard(tenant_id)
        if left > 0:
            self._heard[tenant_id] = self._control.get(_THROTTLE, self._subject(tenant_id))
            self._until[tenant_id] = max(self._clock.monotonic() + left, self._until.get(tenant_id, 0.0))
        return left

    async def run(self) -> None:
        """Write what was told, for ever; what Kafka does not take is tried again until its time has passed."""
        while True:
            await self._news.wait()
            self._news.clear()
            await until_it_works(self._write_all, _AGAIN, _report, on=(Transient, ConfigError))

    async def flush(self) -> None:
        """Write what is left at the end of the process; gives up after five seconds."""
        with suppress(TimeoutError, Transient, ConfigError):
            async with asyncio.timeout(_LAST_WORDS):
                await self._write_all()

    async def _write_all(self) -> None:
        while self._unwritten:
            tenant_id, entry = next(iter(self._unwritten.items()))
            if self._until[tenant_id] > self._clock.monotonic():
                await self._control.write(entry)
            if self._unwritten.get(tenant_id) is entry:  # a longer one may have come meanwhile
                del self._unwritten[tenant_id]

    def _unheard(self, tenant_id: str) -> float:
        entry = self._control.get(_THROTTLE, self._subject(tenant_id))
        if entry is None or entry.until is None or entry.by == self._by or entry is self._heard.get(tenant_id):
            return 0.0
        left = min(entry.until - self._clock.now(), entry.until - entry.since).total_seconds()
        return min(max(0.0, left), _LONGEST)

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


def _report(failed: Failed) -> None:
    _log.warning("A Retry-After was not written; trying again.", error_class=type(failed.failure).__name__)
