"""Finds the rows that PostgreSQL refuses, so that the others of their batch are stored."""

from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from ringback_sink.store.port import Refusal, Result, Stored
from ringback_sink.store.postgres.failures import RowRefused
from ringback_sink.store.telemetry import BISECTIONS

__all__ = ["bisected"]

_Item = TypeVar("_Item")


async def bisected(
    items: Sequence[_Item], write: Callable[[Sequence[_Item]], Awaitable[Sequence[Stored]]]
) -> list[Result]:
    """Write all items at once; if some are refused, halve until each refused one stands alone.

    One refused item among n costs about 2·log2(n) transactions more.

    Args:
        items: what to write.
        write: writes all it is given or nothing, and answers what became of each.

    Returns:
        A result for each item, in their order.

    Raises:
        Transient: as `write` does; what was written by then is written again, which is harmless.
    """
    if not items:
        return []
    try:
        return list(await write(items))
    except RowRefused as refused:
        if len(items) == 1:
            return [Refusal(f"SQLSTATE {refused.sqlstate}")]
        BISECTIONS.labels(refused.sqlstate[:2]).inc()
        middle = len(items) // 2
        return [*await bisected(items[:middle], write), *await bisected(items[middle:], write)]
