"""`ringback dlq`: what was refused, why, and where it came from. Payloads are shown only when asked for."""

import asyncio
import sys
from base64 import b64encode
from typing import Annotated, Any

import typer
from aiokafka import TopicPartition
from ringback_common.errors import ConfigError, Transient
from ringback_common.settings import load
from ringback_events.dead_letters import LetterPlace
from ringback_stream.shared.connection import full_name
from ringback_stream.shared.read_stalled import ReadStalled

from ringback_cli import store
from ringback_cli.core.letters import header_value
from ringback_cli.decide import discard, place_named, release
from ringback_cli.output import Json, document, harmless, show, tell
from ringback_cli.reading import connected
from ringback_cli.settings import KafkaAccess
from ringback_cli.store import Row, Store

__all__ = ["commands"]

commands = typer.Typer(help="Dead letters.", no_args_is_help=True)
_RELEASE = "Send dead letters back to the topic they came from, byte for byte; fetch requests to the bulk lane."
_DISCARD = (
    "Decide that dead letters stay where they are: they leave the list, and end with the retention of their topic."
)
commands.command("release", help=_RELEASE)(release)
commands.command("discard", help=_DISCARD)(discard)
DECISION = ("decision", "decided_by", "why")
COLUMNS = ("where", "at", "reason", "service", "error_class", "attempts", "tenant_id", "call_id")

Where = Annotated[str, typer.Argument(help="topic/partition/offset, as `ls` prints it.")]
Limit = Annotated[int, typer.Option(help="At most so many, newest first.", min=1, max=10_000)]
Reason = Annotated[str | None, typer.Option(help="Only those refused for this reason.")]
Decided = Annotated[bool, typer.Option("--decided", help="Also those released or discarded, and by whom.")]
Payload = Annotated[bool, typer.Option("--payload", help="Also the original bytes, base64 with --json; personal data.")]


@commands.command()
def ls(*, limit: Limit = 50, reason: Reason = None, decided: Decided = False, as_json: Json = False) -> None:
    """The newest dead letters without a decision, from the store."""
    rows = asyncio.run(_listed(limit, reason, decided=decided))
    columns = (*COLUMNS, *DECISION) if decided else COLUMNS
    show("Dead letters", columns, [_row(row, columns) for row in rows], as_json=as_json)


async def _listed(limit: int, reason: str | None, *, decided: bool) -> list[Row]:
    async with Store.connect() as opened:
        return await opened.rows(store.DEAD_LETTERS, limit, reason, decided)


def _row(row: Row, columns: tuple[str, ...]) -> tuple[Any, ...]:
    return (f"{row['topic']}/{row['partition']}/{row['offset']}", *(row[name] for name in columns[1:]))


@commands.command(name="show")
def show_one(where: Where, *, payload: Payload = False, as_json: Json = False) -> None:
    """One dead letter, from Kafka: its key, headers and size."""
    record = asyncio.run(_read(place_named(where)))
    key, headers = _text(record.key), [(name, _text(value)) for name, value in record.headers]
    size = len(record.value or b"")
    if as_json:
        content = {"payload": b64encode(record.value or b"").decode()} if payload else {}
        reported = {name: header_value(name, value) for name, value in headers}
        document({"where": where, "key": key, "headers": reported, "bytes": size} | content)
        return
    show(f"Dead letter {where}, {size} bytes", ("header", "value"), [("(key)", key), *headers], as_json=False)
    if payload:
        tell("The original bytes follow; they may hold personal data.")
        reported = _text(record.value)
        typer.echo("\n".join(map(harmless, reported.split("\n"))) if sys.stdout.isatty() else reported)


def _text(value: bytes | None) -> str:
    return (value or b"").decode("utf-8", "backslashreplace")


async def _read(place: LetterPlace) -> Any:
    kafka = load(KafkaAccess).kafka
    async with connected(kafka) as consumer:
        return await _record(consumer, TopicPartition(full_name(kafka, place.topic), place.partition), place.offset)


async def _record(consumer: Any, partition: TopicPartition, offset: int) -> Any:
    consumer.assign([partition])
    first = (await consumer.beginning_offsets([partition]))[partition]
    end = (await consumer.end_offsets([partition]))[partition]
    if not first <= offset < end:
        raise ConfigError(f"That partition holds offsets {first} to {end - 1}.")
    consumer.seek(partition, offset)
    try:
        async with asyncio.timeout(ReadStalled.SECONDS):
            record = await consumer.getone()
    except TimeoutError:
        raise Transient("Kafka cannot be read: it does not give that letter. Try again when it answers.") from None
    if record.offset != offset:
        raise ConfigError("That dead letter is gone: the retention of its topic has just taken it.")
    return record
