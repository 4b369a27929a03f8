"""A batch of one large message, compressed before aiokafka sees it, so that it can be made in a thread.

aiokafka compresses on the event loop: 70 MiB take 0.12 s of it, and four copies. zstd itself holds no lock of Python.
"""

import time
from collections.abc import Iterable, Sequence
from typing import Any

import cramjam
from aiokafka.producer.message_accumulator import BatchBuilder
from aiokafka.record.default_records import _DefaultRecordBatchBuilderPy  # pyright: ignore[reportPrivateUsage]
from aiokafka.record.util import encode_varint

__all__ = ["LARGE", "large_batch"]

LARGE = 1024 * 1024
"""Bytes from which on a message travels alone: its compression takes some 2 ms."""
_ZSTD = 4
_LEVEL = 3
"""aiokafka's own."""


class _Compressed:
    """aiokafka's own batch, around what is compressed already; it offers what `BatchBuilder` asks of one."""

    def __init__(self, record: Iterable[bytes]) -> None:
        batch: Any = _DefaultRecordBatchBuilderPy(2, _ZSTD, 0, -1, -1, -1, 0)
        batch._buffer += _compressed(record)  # noqa: SLF001 - it has no public way in
        batch._first_timestamp = batch._max_timestamp = int(time.time() * 1000)  # noqa: SLF001 - the same
        batch._num_records = 1  # noqa: SLF001 - the same
        self._batch, self.size, self.set_producer_state = batch, batch.size, batch.set_producer_state

    def build(self) -> bytearray:
        self._batch._write_header()  # noqa: SLF001 - the same
        return self._batch._buffer  # noqa: SLF001 - the same


class _LargeBatch(BatchBuilder):
    def __init__(self, record: Iterable[bytes]) -> None:
        super().__init__(0, _ZSTD)
        self._builder: Any = _Compressed(record)
        self._relative_offset = 1
        self.close()  # what comes for the same partition while this one waits goes into the next batch

    def _set_producer_state(self, producer_id: int, producer_epoch: int, base_sequence: int) -> None:
        self._builder.set_producer_state(producer_id, producer_epoch, base_sequence)


def large_batch(key: bytes, value: bytes | None, headers: Sequence[tuple[str, bytes | None]]) -> Any:
    """The batch; may run in any thread.

    The record's form is Kafka's: length, attributes, time and offset within the batch, key, value, headers.
    """
    encoded = b"".join(_sized(name.encode()) + _sized(content) for name, content in headers)
    parts = (b"\x00\x00\x00", _sized(key), _length(value), value or b"", _varint(len(headers)), encoded)
    return _LargeBatch((_varint(sum(map(len, parts))), *parts))


def _compressed(record: Iterable[bytes]) -> bytes:
    """Part by part: a copy of all of it would be as large as the message."""
    compressor = cramjam.zstd.Compressor(level=_LEVEL)
    for part in record:
        compressor.compress(part)
    return bytes(compressor.finish())


def _sized(content: bytes | None) -> bytes:
    return _length(content) + (content or b"")


def _length(content: bytes | None) -> bytes:
    return _varint(-1 if content is None else len(content))


def _varint(number: int) -> bytes:
    written = bytearray()
    encode_varint(number, written.append)
    return bytes(written)
