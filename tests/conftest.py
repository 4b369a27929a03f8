"""Every test below may use the fixtures of `ringback_testing`, which lies in `tests/support`."""

from ringback_testing.fixtures import (
    database,
    kafka,
    kafka_broker,
    make_topics,
    postgres,
    process,
    simulator,
    topic_prefix,
    topics,
)

__all__ = [
    "database",
    "kafka",
    "kafka_broker",
    "make_topics",
    "postgres",
    "process",
    "simulator",
    "topic_prefix",
    "topics",
]
