"""A line for each dead letter: why it was refused, which call it is about, and where it lay."""

import re
import time
from collections import Counter
from collections.abc import Callable

from ringback_common import logs
from ringback_common.outcomes import Reason, Received, Reject
from ringback_events.keys import split_call_key

__all__ = ["NOTHING_TO_DO", "RejectionLog"]

NOTHING_TO_DO = frozenset({Reason.NOT_FOUND, Reason.VERSION_UNSTABLE})
"""Graph announced what it does not have, or what changed while it was read: no operator can mend either."""

_A_MINUTE, _LINES = 60.0, 100
_WORD = re.compile(r"[A-Za-z0-9_.:\[\]-]{1,80}")

_log = logs.logger(__name__)


class RejectionLog:
    """Writes the lines of one process: 100 a minute for each reason; the next line has the number of those left out.

    Args:
        service: the process.
        now: a monotonic clock, seconds.
    """

    def __init__(self, service: str, now: Callable[[], float] = time.monotonic) -> None:
        self._service = service
        self._now = now
        self._began = float("-inf")
        self._lines: Counter[Reason] = Counter()
        self._unsaid: Counter[Reason] = Counter()

    def say(self, received: Received, refused: Reject) -> None:
        """A dead letter was written, and its record is finished."""
        if not self._may_write(refused.reason):
            self._unsaid[refused.reason] += 1
            return
        tenant_id, call_id = split_call_key(received.key or b"")
        write = _log.warning if refused.reason in NOTHING_TO_DO else _log.error
        write(
            "A record was refused and is a dead letter now.",
            process=self._service,
            reason=refused.reason.value,
            error_class=refused.error_class if _WORD.fullmatch(refused.error_class) else None,
            tenant_id=logs.known_id(tenant_id),
            call_id=logs.known_id(call_id),
            topic=received.topic,
            partition=received.partition,
            offset=received.offset,
            count=1 + self._unsaid.pop(refused.reason, 0),
        )

    def _may_write(self, reason: Reason) -> bool:
        now = self._now()
        if now - self._began >= _A_MINUTE:
            self._began = now
            self._lines.clear()
        self._lines[reason] += 1
        return self._lines[reason] <= _LINES
