"""`ringback resume`: let a process that halted itself go on, once what made it reject so much is mended."""

import asyncio
from typing import Annotated

import typer
from pydantic import ValidationError
from ringback_common.errors import ConfigError
from ringback_common.settings import KafkaSettings, load
from ringback_events.platform_events import ControlEntry
from ringback_events.times import wire_time
from ringback_events.topics import CONTROL
from ringback_stream.publish.producer import Producer
from ringback_stream.shared.compacted import read_compacted
from ringback_stream.shared.control import ControlTable

from ringback_cli.acting import Why, Yes
from ringback_cli.audit import NOT_STATED, AuditTrail, new_run, operator, reason_of
from ringback_cli.carrying import within_patience
from ringback_cli.output import Json, show, tell
from ringback_cli.settings import KafkaAccess

__all__ = ["resume"]

HALT = "halt"
LIFT = "halt.lift"
COLUMNS = ("process", "reason", "since")

Process = Annotated[str | None, typer.Argument(help="The halted process, e.g. fetch or store; without it, list them.")]


def resume(process: Process = None, *, why: Why = None, yes: Yes = False, as_json: Json = False) -> None:
    """Lift the halt of a process; it joins its group again within seconds and goes on where it had committed."""
    kafka = load(KafkaAccess).kafka
    halts = {name: entry for name, entry in asyncio.run(_halts(kafka)).items() if process in {None, name}}
    show("Halted", COLUMNS, [(name, *rest) for name, rest in sorted(halts.items())], as_json=as_json)
    if process is not None and not halts:
        raise ConfigError(f"{process} is not halted; `ringback resume` without a name lists what is.")
    if process is not None and yes:
        asyncio.run(_lift(kafka, process, NOT_STATED if why is None else reason_of(why)))
        tell(f"{process} may go on.")
    elif process is not None:
        tell("Nothing was changed; add --yes to act.")


async def _halts(kafka: KafkaSettings) -> dict[str, tuple[str, str]]:
    entries = [_entry(value) for value in (await read_compacted(kafka, CONTROL.name)).values()]
    return {entry.subject: (entry.reason, wire_time(entry.since)) for entry in entries if entry and entry.kind == HALT}


def _entry(value: bytes) -> ControlEntry | None:
    """None for what the processes cannot read either, and ignore."""
    try:
        return ControlEntry.model_validate_json(value)
    except ValidationError:
        return None


async def _lift(kafka: KafkaSettings, process: str, why: str) -> None:
    producer = Producer(kafka)
    await producer.start()
    try:
        audit = AuditTrail(producer, operator(kafka), LIFT, why, new_run())
        await within_patience(audit.begin())
        await within_patience(ControlTable(kafka, producer).lift(HALT, process))
        await within_patience(audit.done([process]))
    finally:
        await producer.stop()
