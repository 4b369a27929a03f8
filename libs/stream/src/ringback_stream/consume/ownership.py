"""Who owns a tenant now: proved by the broker, for only the owner of this generation may commit.

aiokafka keeps the time of its last good heartbeat to itself, so an accepted commit is the proof. It is dated by the
moment it was *sent*: that the broker accepted it says the generation was valid then or later.
"""

from collections.abc import Collection

from ringback_common.clock import Clock

from ringback_stream.consume.partitions import Partition

__all__ = ["PROOF_INTERVAL", "PROOF_LASTS", "Ownership"]

PROOF_LASTS = 6.0
"""Seconds. A frozen member loses its partitions 15 s after its last heartbeat at the earliest."""
PROOF_INTERVAL = 2.0
"""Seconds between proofs: two may fail before ownership is in doubt."""


class Ownership:
    """Which partition numbers this process owns, in every topic of the flow it is given to."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._proved: dict[Partition, float] = {}

    def owns(self, number: int) -> bool:
        """Whether all topics' partitions of this number were proved ours less than 6 s ago; ask before a write."""
        now = self._clock.monotonic()
        proofs = [proved for partition, proved in self._proved.items() if partition.number == number]
        return bool(proofs) and all(now - proved < PROOF_LASTS for proved in proofs)

    def owned(self) -> frozenset[int]:
        """All numbers owned now."""
        return frozenset(number for number in {p.number for p in self._proved} if self.owns(number))

    def assigned(self, partitions: Collection[Partition]) -> None:
        """The runtime says: an assignment began; nothing is proved yet."""
        self._proved = dict.fromkeys(partitions, float("-inf"))

    def proved(self, partitions: Collection[Partition], sent_at: float) -> None:
        """The runtime says: the broker accepted a commit of these partitions that was sent at this monotonic time."""
        for partition in partitions:
            if partition in self._proved:
                self._proved[partition] = max(self._proved[partition], sent_at)

    def dropped(self) -> None:
        """The runtime says: the assignment is over."""
        self._proved = {}
