"""Headers of the retry lanes: when a record is due."""

import math

from ringback_common.outcomes import Received

__all__ = ["ATTEMPT", "DUE", "LAST_REASON", "READ", "due_ms"]

ATTEMPT = "ringback_attempt"
"""How often it was deferred so far."""
DUE = "ringback_due"
"""When it may be tried again, epoch milliseconds."""
READ = "ringback_read"
"""The read that goes on for a record, of which this is a copy; see `ringback_stream.aside.detached_reads`."""
LAST_REASON = "ringback_reason"
"""Why it was deferred last."""

_LONGEST = 16


def due_ms(received: Received, longest_wait: float = math.inf) -> float | None:
    """When a deferred record is due; None if it does not say: it is due now. The last of repeated headers counts.

    Args:
        received: the record.
        longest_wait: seconds after the broker's time stamp at which it is due whatever it says.
    """
    for name, value in reversed(received.headers):
        if name == DUE:
            plain = value is not None and value.isdigit() and len(value) <= _LONGEST
            return min(int(value), received.timestamp_ms + longest_wait * 1000) if plain and value else None
    return None
