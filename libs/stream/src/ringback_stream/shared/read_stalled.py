"""A read that makes no progress: Kafka went away after it had begun, and aiokafka would wait for ever."""

import time
from collections.abc import Callable

from ringback_common.errors import Transient

__all__ = ["ReadStalled"]


class ReadStalled:
    """Watches a reading that has not reached its end yet: there is always something to come.

    Args:
        now: a monotonic clock, seconds.
    """

    SECONDS = 60.0
    """The longest without any progress: a partition finds another leader in less."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._since = now()
        self._position: object = None

    def seen(self, position: object) -> None:
        """To be called after each poll with the position of the read.

        Raises:
            Transient: it has stood there for too long.
        """
        if position != self._position:
            self._position, self._since = position, self._now()
        elif self._now() - self._since > self.SECONDS:
            raise Transient(f"Kafka cannot be read: nothing came for {self.SECONDS:.0f} s. Try again when it answers.")
