"""Wait for a condition instead of sleeping."""

import asyncio
import inspect
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar, overload

_Value = TypeVar("_Value")

_PAUSE = 0.05


@overload
async def eventually(condition: Callable[[], Awaitable[_Value | None]], timeout: float = 20.0) -> _Value: ...
@overload
async def eventually(condition: Callable[[], _Value | None], timeout: float = 20.0) -> _Value: ...
async def eventually(condition: Callable[[], object], timeout: float = 20.0) -> object:
    """Return the condition's value as soon as it is truthy.

    Raises:
        AssertionError: it was not within `timeout` seconds; the message has its last value.
    """
    deadline = time.monotonic() + timeout
    while True:
        answer = condition()
        value = await answer if inspect.isawaitable(answer) else answer
        if value:
            return value
        if time.monotonic() > deadline:
            name = getattr(condition, "__qualname__", repr(condition))
            raise AssertionError(f"{name} did not hold within {timeout} s; its last value: {value!r}")
        await asyncio.sleep(_PAUSE)
