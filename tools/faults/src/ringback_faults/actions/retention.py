"""Records that retention takes before they are read."""

import asyncio
import time
from collections.abc import Mapping
from math import ceil

from aiokafka import TopicPartition
from aiokafka.admin import RecordsToDelete
from ringback_events import topics

from ringback_faults.actions.absence import administered, committed_by, without_members
from ringback_faults.actions.registry import action
from ringback_faults.actions.service_report import REMOVED, ServiceReport
from ringback_faults.collect.kept import Kept
from ringback_faults.collect.topic_dump import ends_of, partitions_of, reading, records_between
from ringback_faults.ledgers import Act
from ringback_faults.scene import Scene

__all__ = ["take_records"]

_WAITING_SECONDS = 60.0


@action("take records")
async def take_records(scene: Scene, least: int = 30, share: float = 0.5) -> None:
    """Retention takes the older share of what waits in each partition of `internal.fetch`, its reader being stopped.

    It begins once `least` wait unread. `unread` is how many of these it took; what the enricher reports
    of it is in the figures of `ServiceReport`.
    """
    at, name = time.time(), topics.FETCH.name
    report = ServiceReport.of(scene, "enricher", REMOVED)
    async with without_members(scene, "enricher") as group:
        await _until_waiting(scene, group, name, least)
        unread = await _take(scene, name, await committed_by(scene, group, name), share)
    scene.note(Act(at, time.time(), "take records", name, {"unread": unread, **await report.compared(unread)}))


async def _until_waiting(scene: Scene, group: str, name: str, least: int) -> None:
    async with asyncio.timeout(_WAITING_SECONDS):
        while (await scene.lags.of(group, (name,)))[name] < least:  # noqa: ASYNC110 - the broker tells by asking
            await asyncio.sleep(0.1)


async def _take(scene: Scene, name: str, read: Mapping[TopicPartition, int], share: float) -> int:
    async with reading(scene.stack.bootstrap_servers) as consumer, administered(scene) as admin:
        ends = await ends_of(consumer, await partitions_of(scene.stack.bootstrap_servers, [name]))
        first = {part: read.get(part, 0) for part in ends}
        begins = {part: first[part] + ceil(share * (end - first[part])) for part, end in ends.items()}
        begins = {part: begin for part, begin in begins.items() if begin > first[part]}
        records = [record async for record in records_between(consumer, {}, begins)]
        await admin.delete_records({part: RecordsToDelete(before_offset=begin) for part, begin in begins.items()})
    places = frozenset((name, part.partition, at) for part, begin in begins.items() for at in range(first[part], begin))
    scene.kept.append(Kept(time.time(), name, records, unread=places))
    return len(places)
