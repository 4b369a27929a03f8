"""From a key to its partition, as Java's Kafka client does it, so that producers of every language agree.

The algorithm is MurmurHash2 (32 bit, little-endian blocks, seed 0x9747b28c) made positive by clearing the sign bit,
modulo the number of partitions. The vectors in `contracts/partition-vectors.json` belong to the contract.
"""

from functools import lru_cache
from struct import iter_unpack

from ringback_events.topics import KeyRule, topic

__all__ = ["murmur2", "partition_for"]

_SEED = 0x9747B28C
_M = 0x5BD1E995
_MASK = 0xFFFFFFFF


@lru_cache(maxsize=4096)  # hashing costs some 10 us; a version's sessions share one key, a lane's records few tenants
def murmur2(data: bytes) -> int:
    """Hash bytes as `org.apache.kafka.common.utils.Utils.murmur2` does, as an unsigned 32-bit number."""
    length = len(data)
    whole = length & ~3
    h = _SEED ^ length
    for (block,) in iter_unpack("<I", data[:whole]):
        k = (block * _M) & _MASK
        k = ((k ^ (k >> 24)) * _M) & _MASK
        h = ((h * _M) & _MASK) ^ k
    if length != whole:
        h = ((h ^ int.from_bytes(data[whole:], "little")) * _M) & _MASK
    h = ((h ^ (h >> 13)) * _M) & _MASK
    return h ^ (h >> 15)


def partition_for(topic_name: str, key: bytes | None, partitions: int) -> int:
    """Return the partition of a key by the rule of its topic.

    Args:
        topic_name: a topic of the contract, without the installation's prefix.
        key: the record's key; None counts as empty, so that a refused record without a key has one place too.
        partitions: how many partitions the topic really has.

    Raises:
        KeyError: the contract has no such topic.
    """
    hashed = key or b""
    if topic(topic_name).key_rule is KeyRule.BY_TENANT:
        hashed = hashed.partition(b"|")[0]
    return (murmur2(hashed) & 0x7FFFFFFF) % partitions
