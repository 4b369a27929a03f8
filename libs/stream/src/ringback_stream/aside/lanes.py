"""The lanes for what is put aside: which tenant's records go to which, and who waits in them for whom."""

from collections.abc import Callable, Mapping, Sequence

from ringback_events.topics import Topic

from ringback_stream.aside.lookahead import Lookahead
from ringback_stream.consume.partitions import Partition

__all__ = ["AsideLanes"]


class AsideLanes:
    """Keeps tenants apart: with two lanes, two tenants with a backlog never wait for each other.

    Args:
        topics: the lanes for what is put aside; equal in partitions.
        waiting: further lanes in which a record may wait for its tenant, and is moved to the end of its own lane.
    """

    def __init__(self, topics: Sequence[Topic], waiting: Sequence[Topic] = ()) -> None:
        self._topics = [topic.name for topic in topics]
        self._waits = {*self._topics, *(topic.name for topic in waiting)}
        self._ahead: dict[Partition, Lookahead] = {}
        self._for: dict[Partition, str] = {}

    def begin(self, starts: Mapping[Partition, int]) -> None:
        """A new assignment: nothing is known of what lies behind its next records."""
        self._for.clear()
        self._ahead = {at: Lookahead(start) for at, start in starts.items() if at.topic in self._waits}

    def begin_anew(self, partition: Partition, start: int) -> None:
        """A partition goes on at another offset, perhaps in another log."""
        if partition in self._ahead:
            self._ahead[partition] = Lookahead(start)

    def of(self, partition: Partition) -> Lookahead | None:
        """What is known of a partition in which records wait for their tenants; None of any other lane."""
        return self._ahead.get(partition)

    def has(self, topic: str) -> bool:
        """Whether a topic is one of the lanes for what is put aside."""
        return topic in self._topics

    def choose(self, tenant: str, number: int) -> str:
        """The lane for a record of this tenant: where its others are, else where the fewest tenants are."""
        known = [(Partition(name, number), self._ahead.get(Partition(name, number))) for name in self._topics]
        assigned = [(partition, ahead) for partition, ahead in known if ahead is not None]
        if not assigned:
            return self._topics[0]
        return min(assigned, key=lambda each: (not each[1].knows(tenant), len(each[1])))[0].topic

    def expect(self, topic: str, number: int, tenant: str) -> None:
        """A record of this tenant is being written to a lane."""
        ahead = self._ahead.get(Partition(topic, number))
        if ahead is not None:
            ahead.expect(tenant)

    def beyond(self, partition: Partition, tenant: str) -> str:
        """Where a record moves behind which others wait: the other lane if no other tenant is there, else its own.

        So two tenants that met in one lane are parted for good.
        """
        for name in self._topics if partition.topic in self._topics else ():
            other = self._ahead.get(Partition(name, partition.number))
            if name != partition.topic and other is not None and not other.others(tenant):
                return name
        return partition.topic

    def starving(
        self,
        partition: Partition,
        next_offset: int,
        tenant: str,
        need: Callable[[str], bool],
        is_full: Callable[[str], bool],
    ) -> bool:
        """Whether another tenant waits behind that has little in hand, or had little and is not full."""
        ahead = self._ahead[partition]
        ahead.passed(next_offset)
        others = ahead.others(tenant)
        chosen = self._for.get(partition)
        if chosen not in others or is_full(chosen):
            chosen = next((other for other in others if need(other)), None)
        if chosen is None:
            self._for.pop(partition, None)
            return False
        self._for[partition] = chosen
        return True
