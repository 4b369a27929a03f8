"""FastStream's broker and its batch subscriber of a simple flow; the process and the AsyncAPI document share it."""

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

from aiokafka.abc import ConsumerRebalanceListener
from faststream.kafka import KafkaBroker
from ringback_common.settings import KafkaSettings

from ringback_stream.consume.consumer import broker_options, subscriber_options
from ringback_stream.shared.connection import full_name
from ringback_stream.simple.acknowledgement import Acknowledgement, Batch, undecoded, with_raw_headers
from ringback_stream.simple.flow import SimpleFlow
from ringback_stream.simple.log import FastStreamLog

__all__ = ["subscribe"]

_POLL_MS = 100
"""The longest a poll waits; after one that found nothing FastStream sleeps as long again."""
_A_DAY_MS = 86_400_000
"""The handler waits for its store as long as it takes, and nothing is polled meanwhile: aiokafka must not leave the
group for it. Heartbeats go on; a step that hangs turns liveness red."""


def subscribe(
    kafka: KafkaSettings,
    flow: SimpleFlow,
    handle: Callable[[Batch], Awaitable[None]],
    commit: Callable[[], Awaitable[None]],
    failed: Callable[[BaseException], None],
    logger: FastStreamLog,
    listener: ConsumerRebalanceListener | None = None,
) -> tuple[KafkaBroker, Any]:
    """Make the broker and the subscriber; nothing connects yet.

    Args:
        kafka: where.
        flow: what is read.
        handle: returns when a batch is finished.
        commit: called after it.
        failed: receives what `handle` raises.
        logger: receives what FastStream catches.
        listener: of rebalances.

    Raises:
        ConfigError: a secret or certificate of the settings cannot be read.
    """
    middleware: Any = partial(Acknowledgement, commit, failed)
    broker = KafkaBroker(kafka.servers, logger=logger, middlewares=[middleware], **broker_options(kafka))
    options: dict[str, Any] = subscriber_options(kafka, flow)
    options["max_poll_interval_ms"] = _A_DAY_MS
    subscribe_to: Any = broker.subscriber
    subscriber: Any = subscribe_to(
        *(full_name(kafka, topic.name) for topic in flow.topics),
        batch=True,
        batch_timeout_ms=_POLL_MS,
        parser=with_raw_headers,
        decoder=undecoded,
        listener=listener,
        title=flow.group,
        description=flow.description,
        **options,
    )
    subscriber(handle)
    return broker, subscriber
