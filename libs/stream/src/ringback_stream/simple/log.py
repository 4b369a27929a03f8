"""FastStream's logger: what it catches becomes our line, our metric, or the end of the process."""

import logging
from collections.abc import Callable, Mapping
from typing import Any

__all__ = ["FastStreamLog"]

_library = logging.getLogger(__name__)
"""Not the one named `faststream`: the library gives that a handler of its own, which would write past our format."""


class FastStreamLog:
    """Hands on every exception that FastStream catches, which it only logs before it goes on.

    Its sentences are for developers, at DEBUG: two are about each batch. Those about an exception are not written at
    all: they quote it, and exceptions quote data; the receiver writes its class and place.

    Args:
        caught: receives the exception, in the order of the log.
    """

    def __init__(self, caught: Callable[[BaseException], None]) -> None:
        self._caught = caught

    def log(self, level: int, msg: Any, /, *, exc_info: Any = None, extra: Mapping[str, Any] | None = None) -> None:  # noqa: ARG002 - FastStream's signature
        """Receive one line of FastStream, with the exception that it is about."""
        if isinstance(exc_info, BaseException):
            self._caught(exc_info)
        else:
            _library.debug("%s", msg)
