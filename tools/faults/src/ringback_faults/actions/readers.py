"""Consumers that fall behind: another team's, which is its own trouble, and ours, which has to be seen in time."""

import asyncio
import re
import time

from ringback_events import topics
from ringback_local.kafka import clients

from ringback_faults.actions.registry import action
from ringback_faults.actions.service_report import metrics_of
from ringback_faults.ledgers import Act
from ringback_faults.scene import Scene

__all__ = ["lateness", "slow_reader"]

_GROUP = "another-team"
_STORED = re.compile(r'^ringback_store_since_received_seconds_bucket\{le="([^"]+)"\} (\S+)$', re.MULTILINE)


@action("slow reader")
async def slow_reader(scene: Scene, seconds: float = 12.0, per_second: float = 5.0) -> None:
    """A group of another team reads `open.calls` one by one, slower than it grows, and commits as it goes.

    It begins where the topic ends. `behind` is how far it is behind at the end, by the broker's word: what whoever
    watches lags against retention sees.
    """
    at, read = time.time(), 0
    async with clients.consumer(
        scene.stack.bootstrap_servers, topics.CALLS.name, group_id=_GROUP, auto_offset_reset="latest",
        max_poll_records=1,
    ) as consumer:  # fmt: skip
        while time.time() < at + seconds:
            async with asyncio.timeout(seconds + 30):
                await consumer.getone()
            await consumer.commit()
            read += 1
            await asyncio.sleep(1 / per_second)
    behind = sum((await scene.lags.of(_GROUP, (topics.CALLS.name,))).values())
    scene.note(Act(at, time.time(), "slow reader", _GROUP, {"read": read, "behind": behind}))


@action("lateness")
async def lateness(scene: Scene, seconds: float = 20.0, later_than: float = 5.0) -> None:
    """Read off the store's own histogram how many versions it stored late: so long after their notification.

    It is what an alert on freshness compares with its promise, long before anything nears the topic's retention.
    """
    at, before = time.time(), await _stored_late(scene, later_than)
    await asyncio.sleep(seconds)
    late = await _stored_late(scene, later_than) - before
    scene.note(Act(at, at, "lateness", "store", {"versions": late}))


async def _stored_late(scene: Scene, seconds: float) -> float:
    counted = {float(le): float(count) for le, count in _STORED.findall(await metrics_of(scene, "store"))}
    in_time = max((count for le, count in counted.items() if le <= seconds), default=0.0)
    return max(counted.values(), default=0.0) - in_time
