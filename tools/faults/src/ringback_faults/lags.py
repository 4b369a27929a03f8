"""How far behind consumer groups are, read from the broker: committed offsets against end offsets."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from aiokafka import TopicPartition
from ringback_events import topics
from ringback_local.kafka import clients

from ringback_faults.contract import ENRICHER, SINK

__all__ = ["Lags"]

_LANES = tuple(topic.name for topic in topics.FETCH_LANES)


class Lags:
    """Asks the broker, never the services."""

    def __init__(self, admin: Any, consumer: Any, prefix: str = "") -> None:
        self._admin = admin
        self._consumer = consumer
        self._prefix = prefix

    @classmethod
    @asynccontextmanager
    async def connect(cls, bootstrap: str, prefix: str = "") -> AsyncGenerator["Lags"]:
        """Two connections, held over the block; `prefix` is the installation's, of its topics and its groups."""
        async with clients.admin(bootstrap) as admin, clients.consumer(bootstrap) as consumer:
            yield cls(admin, consumer, prefix)

    async def of(self, group: str, names: Sequence[str]) -> dict[str, int]:
        """Records between the group's committed offset and the end, per topic; names as in the contract."""
        parts = self._partitions(names)
        ends = await self._consumer.end_offsets(parts)
        committed = await self._admin.list_consumer_group_offsets(self._prefix + group)
        behind = dict.fromkeys(names, 0)
        for part in parts:
            known = committed.get(part)
            name = part.topic.removeprefix(self._prefix)
            behind[name] += ends[part] - max(0, known.offset if known is not None else 0)
        return behind

    async def by_lane(self) -> dict[str, int]:
        """What enricher and store have still to work off, per topic, the retry tiers included."""
        return {**await self.of(ENRICHER, _LANES), **await self.of(SINK, (topics.RECORDS.name,))}

    async def held(self, names: Sequence[str]) -> int:
        """Records that topics without a group hold, e.g. the dead letters."""
        parts = self._partitions(names)
        ends = await self._consumer.end_offsets(parts)
        begins = await self._consumer.beginning_offsets(parts)
        return sum(ends[part] - begins[part] for part in parts)

    def _partitions(self, names: Sequence[str]) -> list[TopicPartition]:
        return [
            TopicPartition(self._prefix + name, part) for name in names for part in range(topics.topic(name).partitions)
        ]
