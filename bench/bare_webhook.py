"""The webhook's baseline: an ASGI application that reads a POST and answers 202. It keeps nothing: an upper bound."""

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

__all__ = ["app"]

Event = MutableMapping[str, Any]

_START: Event = {"type": "http.response.start", "status": 202, "headers": [(b"content-length", b"0")]}
_BODY: Event = {"type": "http.response.body", "body": b""}


async def app(scope: Event, receive: Callable[[], Awaitable[Event]], send: Callable[[Event], Awaitable[None]]) -> None:
    """Run by uvicorn, with lifespan events off."""
    assert scope["type"] == "http"  # noqa: S101 - nothing else is routed here
    while (await receive()).get("more_body"):
        pass
    await send(_START)
    await send(_BODY)
