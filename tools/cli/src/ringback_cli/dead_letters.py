"""`ringback dlq`: what was refused, why, and where it came from. Payloads are shown only when asked for."""

import asyncio
import json
import re
from base64 import b64encode
from typing import Annotated, Any, cast

import typer
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError
from ringback_common.errors import ConfigError, Transient
from ringback_common.settings import KafkaSettings, load
from ringback_events.topics import INTERNAL_DEAD_LETTERS, RESTRICTED_DEAD_LETTERS
from ringback_stream.connection import client_options, full_name

from ringback_cli import store
from ringback_cli.output import Json, show, tell
from ringback_cli.settings import KafkaAccess
from ringback_cli.store import Row, Store

__all__ = ["commands"]

commands = typer.Typer(help="Dead letters.", no_args_is_help=True)
COLUMNS = ("where", "at", "reason", "service", "error_class", "attempts", "tenant_id", "call_id")
LARGEST = 9 * 1024 * 1024
"""`max.message.bytes` of the restricted dead letters."""

_TOPICS = {INTERNAL_DEAD_LETTERS.name, RESTRICTED_DEAD_LETTERS.name}
_NUMBER = re.compile(r"[0-9]{1,18}")

Where = Annotated[str, typer.Argument(help="topic/partition/offset, as `ls` prints it.")]
Limit = Annotated[int, typer.Option(help="At most so many, newest first.", min=1, max=10_000)]
Reason = Annotated[str | None, typer.Option(help="Only those refused for this reason.")]
Payload = Annotated[bool, typer.Option("--payload", help="Also the original bytes, base64 with --json; personal data.")]


@commands.command()
def ls(*, limit: Limit = 50, reason: Reason = None, as_json: Json = False) -> None:
    """The newest dead letters, from the store."""
    rows = asyncio.run(_listed(limit, reason))
    show("Dead letters", COLUMNS, [_row(row) for row in rows], as_json=as_json)


async def _listed(limit: int, reason: str | None) -> list[Row]:
    async with Store.connect() as opened:
        return await opened.rows(store.DEAD_LETTERS, limit, reason)


def _row(row: Row) -> tuple[Any, ...]:
    return (f"{row['topic']}/{row['partition']}/{row['offset']}", *(row[name] for name in COLUMNS[1:]))


@commands.command(name="show")
def show_one(where: Where, *, payload: Payload = False, as_json: Json = False) -> None:
    """One dead letter, from Kafka: its key, headers and size."""
    record = asyncio.run(_read(*_parsed(where)))
    key, headers = _text(record.key), [(name, _text(value)) for name, value in record.headers]
    size = len(record.value or b"")
    if as_json:
        content = {"payload": b64encode(record.value or b"").decode()} if payload else {}
        typer.echo(json.dumps({"where": where, "key": key, "headers": dict(headers), "bytes": size} | content))
        return
    show(f"Dead letter {where}, {size} bytes", ("header", "value"), [("(key)", key), *headers], as_json=False)
    if payload:
        tell("The original bytes follow; they may hold personal data.")
        typer.echo(_text(record.value))


def _text(value: bytes | None) -> str:
    return (value or b"").decode("utf-8", "backslashreplace")


def _parsed(where: str) -> tuple[str, int, int]:
    topic, _, rest = where.partition("/")
    partition, _, offset = rest.partition("/")
    if topic not in _TOPICS or not (_NUMBER.fullmatch(partition) and _NUMBER.fullmatch(offset)):
        raise ConfigError("A dead letter is named topic/partition/offset, as `ringback dlq ls` prints it.")
    return topic, int(partition), int(offset)


async def _read(topic: str, partition: int, offset: int) -> Any:
    kafka = load(KafkaAccess).kafka
    untyped = cast("Any", AIOKafkaConsumer)
    consumer = untyped(
        **client_options(kafka), group_id=None, enable_auto_commit=False, max_partition_fetch_bytes=LARGEST
    )
    try:
        await consumer.start()
        return await _record(consumer, TopicPartition(full_name(kafka, topic), partition), offset)
    except KafkaError as failed:
        raise Transient(_why(kafka, failed)) from None
    finally:
        await consumer.stop()


async def _record(consumer: Any, partition: TopicPartition, offset: int) -> Any:
    consumer.assign([partition])
    first = (await consumer.beginning_offsets([partition]))[partition]
    end = (await consumer.end_offsets([partition]))[partition]
    if not first <= offset < end:
        raise ConfigError(f"That partition holds offsets {first} to {end - 1}.")
    consumer.seek(partition, offset)
    return await consumer.getone()


def _why(kafka: KafkaSettings, failed: KafkaError) -> str:
    return f"Kafka at {kafka.bootstrap_servers} did not give the record: {type(failed).__name__}."
