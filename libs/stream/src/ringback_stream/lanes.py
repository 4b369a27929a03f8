"""When a record of a retry lane is due, as its header says."""

import math

from ringback_common.outcomes import Received
from ringback_events.header_names import DUE

__all__ = ["due_ms"]

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
