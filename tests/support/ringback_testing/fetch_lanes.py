"""Flows over the fetch lanes on a real Kafka: their topics, records, groups, and a process of its own that copies."""

import asyncio
import os
import secrets
import sys
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from ringback_common.outcomes import Emit, Message, Outcome, Reason, Received, Reject
from ringback_events.topics import (
    CONTROL,
    FETCH,
    FETCH_BULK,
    FETCH_RETRY_2M,
    INTERNAL_DEAD_LETTERS,
    RECORDS,
    RESTRICTED_DEAD_LETTERS,
    STATUS,
)
from ringback_stream.flows import KeyedFlow, Lane, LaneKind

__all__ = ["LANES", "NEEDED", "copying", "fetch", "given_up", "group", "keyed", "satisfied"]

NEEDED = tuple(
    topic.name
    for topic in (
        FETCH,
        FETCH_BULK,
        FETCH_RETRY_2M,
        RECORDS,
        CONTROL,
        STATUS,
        INTERNAL_DEAD_LETTERS,
        RESTRICTED_DEAD_LETTERS,
    )
)
"""Topics that such a flow reads and writes."""
LANES = (Lane(FETCH), Lane(FETCH_BULK, LaneKind.BULK), Lane(FETCH_RETRY_2M, LaneKind.RETRY))


def fetch(
    key: str, value: bytes = b"{}", topic: str = FETCH.name, headers: tuple[tuple[str, bytes], ...] = ()
) -> Message:
    """One record for a lane."""
    return Message(topic, key.encode(), value, headers)


def given_up(record: Received, attempts: int) -> Outcome:
    """What a service says when the in-place budget is used up."""
    return Reject(Reason.UPSTREAM_ERROR, f"after{attempts}")


def group() -> str:
    """A group no other test has."""
    return f"g-{secrets.token_hex(4)}"


def keyed(step: object, **more: object) -> KeyedFlow:
    """A flow over the fetch lanes in a group of its own."""
    return KeyedFlow(group(), LANES, step, given_up, **more)  # pyright: ignore[reportArgumentType]


async def satisfied(records: Sequence[Received]) -> Sequence[Outcome]:
    """A step that has nothing to write."""
    return [Emit()] * len(records)


@asynccontextmanager
async def copying(*arguments: str) -> AsyncGenerator[asyncio.subprocess.Process]:
    """The copying process of the test support."""
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[1])}
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "ringback_testing.streaming_process",
        *arguments,
        stdout=asyncio.subprocess.PIPE,
        env=environment,
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
