"""From aiokafka's record to the one a step is given."""

from aiokafka import ConsumerRecord
from ringback_common.outcomes import Received

__all__ = ["KafkaRecord", "received"]

KafkaRecord = ConsumerRecord[bytes, bytes]


def received(topic: str, record: KafkaRecord) -> Received:
    """The record under its contract's topic name; headers stay bytes, as any producer may have written them."""
    return Received(
        topic, record.partition, record.offset, record.timestamp, record.key, record.value, tuple(record.headers)
    )
