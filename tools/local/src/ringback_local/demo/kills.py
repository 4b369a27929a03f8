"""Kills on purpose: each service once while it provably held unfinished work, the proof taken from outside."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass

import aiohttp
from ringback_events import topics

from ringback_local.demo.collect import ledger
from ringback_local.demo.lanes import ENRICHER, SINK, Lags
from ringback_local.stack import Stack

__all__ = ["Kill", "kill_consumer", "kill_webhook"]

LANES = (topics.FETCH.name, topics.FETCH_BULK.name)
RECORDS = (topics.RECORDS.name,)
ATTEMPTS = 6


@dataclass(frozen=True, slots=True)
class Kill:
    """One kill -9.

    Attributes:
        service: the process killed.
        unfinished: what it held: records behind its committed offsets, or POSTs that were left unanswered.
    """

    service: str
    unfinished: int


async def kill_consumer(stack: Stack, lags: Lags, service: str) -> Kill:
    """Kill the enricher or the store at a moment when records of its group are unfinished."""
    group, names = (ENRICHER, LANES) if service == "enricher" else (SINK, RECORDS)
    unfinished = 0
    for _ in range(ATTEMPTS):
        await _until_behind(lags, group, names)
        stack.kill(service)
        unfinished = sum((await lags.of(group, names)).values())
        await stack.ready(service, timeout=60)
        if unfinished:
            break
    return Kill(service, unfinished)


async def _until_behind(lags: Lags, group: str, names: Sequence[str]) -> None:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline and not sum((await lags.of(group, names)).values()):  # noqa: ASYNC110 - the broker tells by asking
        await asyncio.sleep(0.01)


async def kill_webhook(stack: Stack, control: aiohttp.ClientSession) -> Kill:
    """Kill the webhook while a POST waits for its answer; the sender's ledger is the proof."""
    unanswered = 0
    for _ in range(ATTEMPTS):
        killed_at = time.time()
        stack.kill("webhook")
        await stack.ready("webhook", timeout=60)
        await asyncio.sleep(1.0)  # the ledger is flushed every 0.2 s
        unanswered = await _cut_off(control, killed_at)
        if unanswered:
            break
    return Kill("webhook", unanswered)


async def _cut_off(control: aiohttp.ClientSession, killed_at: float) -> int:
    """POSTs that had begun before the kill and never got a status."""
    return len(
        [
            line
            async for line in ledger(control, "post")
            if line["status"] is None and line["at"] <= killed_at + 0.02 and line["end"] >= killed_at
        ]
    )
