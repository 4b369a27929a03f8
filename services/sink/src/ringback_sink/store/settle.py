"""Finds the rows a store refuses, so that their neighbours live."""

from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from ringback_common.outcomes import Emit, Outcome, Reason, Reject

from ringback_sink.store.adapters.failures import Refused
from ringback_sink.store.telemetry import BISECTIONS

__all__ = ["settle"]

_Item = TypeVar("_Item")


async def settle(items: Sequence[_Item], write: Callable[[Sequence[_Item]], Awaitable[None]]) -> list[Outcome]:
    """Write all items at once; if some are refused, halve until each refused one stands alone.

    One refused item among n costs about 2·log2(n) transactions more. The answer has the items' length and order.

    Raises:
        Transient: as `write` does; what was written by then is written again, which is harmless.
    """
    if not items:
        return []
    try:
        await write(items)
    except Refused as refused:
        if len(items) == 1:
            return [Reject(Reason.STORE_REFUSED, f"SQLSTATE {refused.sqlstate}")]
        BISECTIONS.labels(refused.sqlstate[:2]).inc()
        middle = len(items) // 2
        return [*await settle(items[:middle], write), *await settle(items[middle:], write)]
    return [Emit()] * len(items)
