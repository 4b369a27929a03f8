"""When dead-lettering must stop: a bad deploy must not drain a topic into the dead letters."""

from collections import deque

from ringback_common.outcomes import Reason

__all__ = ["COUNTED", "RejectLimit"]

COUNTED = frozenset({
    Reason.UNDECODABLE,
    Reason.WRONG_VERSION,
    Reason.SCHEMA_INVALID,
    Reason.STORE_REFUSED,
})  # fmt: skip
"""Rejects that our own code may be the cause of; what Graph answers (not_found, malformed_record, ...) is not among
them: it is one tenant's, and pauses that tenant."""


class RejectLimit:
    """20 counted rejects in a row, or more than 5 % of the last 200 records."""

    IN_A_ROW, WINDOW, SHARE = 20, 200, 0.05

    def __init__(self) -> None:
        self._recent: deque[bool] = deque(maxlen=self.WINDOW)
        self._in_a_row = 0

    def note(self, reason: Reason | None) -> None:
        """A record is finished: rejected for this reason, or None for anything else."""
        counted = reason in COUNTED
        self._recent.append(counted)
        self._in_a_row = self._in_a_row + 1 if counted else 0

    @property
    def exceeded(self) -> bool:
        """Whether to halt. The share is judged on a full window only: one of the first ten is no bad deploy."""
        share = len(self._recent) == self.WINDOW and sum(self._recent) > self.SHARE * self.WINDOW
        return share or self._in_a_row >= self.IN_A_ROW
