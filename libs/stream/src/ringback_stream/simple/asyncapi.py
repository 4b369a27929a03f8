"""The AsyncAPI document of simple flows, as FastStream writes it, with the contract's schemas as payloads."""

from collections.abc import Sequence
from typing import Any

from faststream.kafka import KafkaBroker
from faststream.specification import AsyncAPI
from ringback_common.settings import KafkaSettings
from ringback_events.topics import topic

from ringback_stream.simple.acknowledgement import Batch
from ringback_stream.simple.flow import SimpleFlow
from ringback_stream.simple.log import FastStreamLog
from ringback_stream.simple.subscription import subscribe

__all__ = ["document"]

Document = dict[str, Any]


def document(flows: Sequence[SimpleFlow], *, title: str, version: str, description: str) -> Document:
    """Describe what the flows read; nothing connects.

    FastStream documents a batch as one array, and a handler that decodes nothing without a schema: a message is one
    record here, and its payload the schemas in `contracts/schemas` that its topic names. Servers are left out, for
    each installation has its own.
    """
    brokers = [_broker(flow) for flow in flows]
    specification = AsyncAPI(*brokers, title=title, version=version, description=description, schema_version="3.0.0")
    made: Document = specification.to_specification().to_jsonable()
    for name in ("servers", "defaultContentType"):
        made.pop(name)
    made["components"].pop("schemas")
    for key, channel in made["channels"].items():
        channel.pop("servers")
        (reference,) = channel["messages"].values()
        made["components"]["messages"][reference["$ref"].rsplit("/", 1)[-1]] = _message(key, channel["address"])
    return made


def _broker(flow: SimpleFlow) -> KafkaBroker:
    kafka = KafkaSettings(bootstrap_servers="localhost:9092")
    return subscribe(kafka, flow, _read, _nothing, lambda _: None, FastStreamLog(lambda _: None))[0]


async def _read(batch: Batch) -> None:
    """A record."""


async def _nothing() -> None:
    """Nothing is committed."""


def _message(title: str, address: str) -> Document:
    payloads = [{"$ref": f"schemas/{event}.v1.json"} for event in topic(address).events]
    if not payloads:
        return {"title": title, "description": "Whatever was refused, byte for byte."}
    payload = payloads[0] if len(payloads) == 1 else {"oneOf": payloads}
    return {"title": title, "contentType": "application/json", "payload": payload}
