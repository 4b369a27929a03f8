"""How much a poll brings: what it brings stands in memory before anything can be refused."""

import pytest
from aiokafka import ConsumerRecord
from ringback_stream.consume.consumer import _portion

KIB = 1024


def of(size: int) -> ConsumerRecord[bytes, bytes]:
    """A record whose value has this size."""
    return ConsumerRecord("topic", 0, 0, 0, 0, b"key", bytes(size), None, 3, size, ())


@pytest.mark.parametrize(
    ("size", "most"),
    [
        ([0] * 3, 256),
        ([1 * KIB] * 200, 256),
        ([86 * KIB] * 32, 47),
        ([1024 * KIB] * 7, 4),
        ([8 * KIB, 4088 * KIB], 2),
        ([9 * KIB * KIB], 2),
    ],
)
def test_the_next_poll_brings_four_mebibytes_if_records_stay_as_large(size: list[int], most: int) -> None:
    """By the mean of this one; never more than 256, nor fewer than 2."""
    assert _portion([of(size) for size in size]) == most
