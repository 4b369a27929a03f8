"""Where everything stood when a row began, so that the row is judged by its own records only."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import orjson
from aiokafka import TopicPartition
from ringback_local.kafka import clients
from ringback_local.polling import until
from ringback_local.servers import StartFailed
from ringback_local.stack import Stack

from ringback_faults.collect import simulator_ledger, store_dump
from ringback_faults.collect.leaks import log_sizes, secrets_of
from ringback_faults.collect.topic_dump import OFFSETS_TOPIC, READ_TOPICS, ends_of, partitions_of, reading
from ringback_faults.contract import GROUPS
from ringback_faults.ledgers import Key
from ringback_faults.worlds import World

__all__ = ["Baseline", "mark", "run_folders", "subscribed"]

_SUBSCRIBED_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Baseline:
    """Where everything stood.

    Attributes:
        ends: next offsets of every topic that is read, the consumers' offsets included.
        starts: committed offsets per (group, topic, partition).
        known: calls of earlier rows.
        ledger_offset: size of the simulator's ledger in bytes.
        last_write: newest note of the store's triggers.
        logs: sizes of the log files in bytes, those of an installation beside this one included.
        secrets: what stood in the files of secrets, likewise: a row may replace it.
        events: how many starts and deaths of processes the stack had seen.
    """

    ends: Mapping[TopicPartition, int]
    starts: Mapping[tuple[str, str, int], int]
    known: frozenset[Key]
    ledger_offset: int
    last_write: int
    logs: Mapping[Path, int]
    secrets: Mapping[str, str]
    events: int


def run_folders(world: World) -> list[Path]:
    """Where processes write: those of the installation, then those of the one beside it."""
    return [stack.run_folder for stack in (world.stack, world.beside) if stack is not None]


async def mark(world: World) -> Baseline:
    """Note where everything stands; makes the store note its writes, if it does not yet.

    Raises:
        StartFailed: a tenant has no subscription, so that Graph would send no notification of its calls.
    """
    stack = world.stack
    await subscribed(stack)
    async with reading(stack.bootstrap_servers) as consumer:
        names = [topic.name for topic in READ_TOPICS]
        ends = await ends_of(consumer, await partitions_of(stack.bootstrap_servers, [*names, OFFSETS_TOPIC]))
    async with store_dump.connected(stack.dsn) as connection:
        await store_dump.watch_writes(connection)
        last_write = await store_dump.last_write(connection)
    async with aiohttp.ClientSession(stack.simulator.control_url) as control:
        known = frozenset(await simulator_ledger.expected_calls(control))
        offset = await simulator_ledger.flushed_size(control, stack.simulator.ledger_file)
    return Baseline(
        ends=ends,
        starts=await _committed(stack.bootstrap_servers),
        known=known,
        ledger_offset=offset,
        last_write=last_write,
        logs=log_sizes(run_folders(world)),
        secrets=secrets_of(run_folders(world)),
        events=len(stack.events),
    )


async def subscribed(stack: Stack) -> None:
    """Wait until the keeper has subscribed every tenant; raises StartFailed."""

    async def all_have_one() -> bool:
        async with control.get("/control/subscriptions") as answer:
            reported = orjson.loads(await answer.read())
        return {one["tenantId"] for one in reported["subscriptions"]} >= set(stack.tenants)

    async with aiohttp.ClientSession(stack.simulator.control_url) as control:
        if "keeper" in stack.processes and not await until(all_have_one, _SUBSCRIBED_SECONDS):
            raise StartFailed("the keeper has not subscribed every tenant")


async def _committed(bootstrap: str) -> dict[tuple[str, str, int], int]:
    async with clients.admin(bootstrap) as admin:
        reported = {group: await admin.list_consumer_group_offsets(group) for group in GROUPS}
    return {
        (group, part.topic, part.partition): held.offset
        for group, offsets in reported.items()
        for part, held in offsets.items()
        if held.offset >= 0
    }
