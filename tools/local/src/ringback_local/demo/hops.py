"""The latency of each hop, from times that three parties wrote: the sender, the broker, the database."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

import aiohttp
import asyncpg

from ringback_local.demo.collect import ledger

__all__ = ["Hop", "measure", "quantile"]

_TIMES = """
SELECT tenant_id, call_id, version, received_at, fetched_at, first_stored_at FROM callrecords.call_version
WHERE received_at IS NOT NULL"""


@dataclass(frozen=True, slots=True)
class Hop:
    """One hop of the way, in milliseconds."""

    name: str
    samples: int
    p50: float
    p99: float


def quantile(values: Sequence[float], share: float) -> float:
    """The smallest value that at least `share` of all values do not exceed; 0 without values."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0


async def measure(dsn: str, control: aiohttp.ClientSession, appended: Mapping[tuple[str, str, int], int]) -> list[Hop]:
    """Every hop of the run.

    Args:
        dsn: the store.
        control: the simulator's control API.
        appended: (tenant, call, version) → broker time of the record in ms.
    """
    posts = [1000 * (line["end"] - line["at"]) async for line in ledger(control, "post") if _accepted(line)]
    rows = await _rows(dsn)
    waits: dict[str, list[float]] = {"accepted → fetch begun": [], "fetch begun → published": []}
    waits |= {"published → stored": [], "accepted → stored": []}
    for row in rows:
        received, fetched, stored = (_ms(row[name]) for name in ("received_at", "fetched_at", "first_stored_at"))
        published = appended.get((row["tenant_id"], row["call_id"], row["version"]))
        waits["accepted → fetch begun"].append(fetched - received)
        waits["accepted → stored"].append(stored - received)
        if published is not None:
            waits["fetch begun → published"].append(published - fetched)
            waits["published → stored"].append(stored - published)
    return [_hop("notified → accepted", posts), *(_hop(name, values) for name, values in waits.items())]


def _accepted(line: Mapping[str, Any]) -> bool:
    return line["status"] is not None and line["status"] // 100 == 2 and not line["lifecycle"]  # noqa: PLR2004 - 2xx


def _hop(name: str, values: Sequence[float]) -> Hop:
    return Hop(name, len(values), quantile(values, 0.5), quantile(values, 0.99))


def _ms(moment: datetime) -> float:
    return moment.timestamp() * 1000


async def _rows(dsn: str) -> list[Mapping[str, Any]]:
    connection = cast("Any", await asyncpg.connect(dsn))
    try:
        return [dict(row) for row in await connection.fetch(_TIMES)]
    finally:
        await connection.close()
