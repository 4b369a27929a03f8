"""A batch is acknowledged by explicit offsets, after its handler; what the handler raises is never passed over."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from types import TracebackType
from typing import Any

from faststream.kafka.message import KafkaMessage
from faststream.middlewares import BaseMiddleware

from ringback_stream.consume.records import KafkaRecord

__all__ = ["Acknowledgement", "undecoded", "with_raw_headers"]

Batch = tuple[KafkaRecord, ...]


class Acknowledgement(BaseMiddleware[Any, Any]):
    """Commits once the handler of a batch has returned; FastStream's own `ack` would commit whatever was polled.

    Args:
        commit: commits what is finished, and only that.
        failed: receives an exception of the handler, which FastStream logs and then goes on behind the batch.
        batch: as FastStream gives it to each middleware.
        context: the same.
    """

    def __init__(
        self,
        commit: Callable[[], Awaitable[None]],
        failed: Callable[[BaseException], None],
        batch: Any,
        /,
        *,
        context: Any,
    ) -> None:
        super().__init__(batch, context=context)
        self._commit, self._failed = commit, failed

    async def consume_scope(self, call_next: Callable[[Any], Awaitable[Any]], msg: Any) -> Any:
        """Run the handler, then commit."""
        answer = await call_next(msg)
        await self._commit()
        return answer

    async def after_processed(
        self,
        exc_type: type[BaseException] | None = None,
        exc_val: BaseException | None = None,
        exc_tb: TracebackType | None = None,
    ) -> bool:
        """Hand an exception on; it is not swallowed here."""
        del exc_type, exc_tb
        if isinstance(exc_val, Exception):
            self._failed(exc_val)
        return False


async def with_raw_headers(batch: Batch, parse: Callable[[Batch], Awaitable[KafkaMessage]]) -> KafkaMessage:
    """FastStream's parser without the headers, which stay bytes: one that is null or not UTF-8 would drop the batch."""
    message = await parse(tuple(replace(record, headers=()) for record in batch))
    message.raw_message = batch
    return message


async def undecoded(message: KafkaMessage) -> Batch:
    """The records as they came; a step reads them, for what it cannot read becomes a dead letter."""
    batch: Any = message.raw_message
    return batch
