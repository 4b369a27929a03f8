"""How far a re-derivation is: a bar on a terminal, a log line now and then elsewhere."""

from typing import TextIO

from ringback_common import logs
from ringback_common.clock import Clock

__all__ = ["Progress"]

_log = logs.logger(__name__)

_WIDTH = 30
_DRAW_EVERY = 0.2
_LOG_EVERY = 30.0


class Progress:
    """Draws on a terminal, else writes to the log."""

    def __init__(self, total: int, stream: TextIO, clock: Clock) -> None:
        """Take how many records are to be gone through, and where to draw."""
        self._total = max(total, 1)
        self._done = 0
        self._stream = stream
        self._clock = clock
        self._draws = stream.isatty()
        self._next = clock.monotonic() + self._every

    def advance(self, records: int, published: int) -> None:
        """So many more records were gone through; so many are published in all."""
        self._done = min(self._done + records, self._total)
        if self._clock.monotonic() >= self._next:
            self._next = self._clock.monotonic() + self._every
            self._say(published)

    def finish(self, published: int) -> None:
        """Leave the terminal's line as it is and begin the next."""
        if self._draws:
            self._say(published)
            self._stream.write("\n")

    @property
    def _every(self) -> float:
        return _DRAW_EVERY if self._draws else _LOG_EVERY

    def _say(self, published: int) -> None:
        if not self._draws:
            _log.info("The re-derivation goes on.", records=self._done, limit=self._total, count=published)
            return
        share = self._done / self._total
        bar = "#" * round(share * _WIDTH)
        self._stream.write(f"\r[{bar:<{_WIDTH}}] {share:4.0%} {published} published")
        self._stream.flush()
