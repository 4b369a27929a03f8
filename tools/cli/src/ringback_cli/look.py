"""`ringback status` and `ringback lookup`: is data flowing, and what became of one call."""

import asyncio
import json
from typing import Annotated, Any

import typer

from ringback_cli import store
from ringback_cli.output import Json, show, tell
from ringback_cli.store import Row, Store

__all__ = ["lookup", "status"]

STATUS_COLUMNS = ("process", "tenant_id", "state", "age_seconds", "detail")
CALL_COLUMNS = (
    "tenant_id", "version", "revision", "type", "start_date_time", "duration_ms", "session_count", "quality_verdict",
    "stored_at",
)  # fmt: skip
PARTY_COLUMNS = ("index", "kind", "relation", "is_organizer", "platforms", "session_count", "joined_ms", "verdict")
PEOPLE_COLUMNS = ("display_name", "user_principal_name", "phone_number")
VERSION_COLUMNS = (
    "version", "revision", "last_modified_date_time", "session_count", "quality_verdict", "first_stored_at",
)  # fmt: skip
SESSION_COLUMNS = (
    "ordinal", "start_date_time", "duration_ms", "verdict", "caller_platform", "callee_platform", "failure_stage",
)  # fmt: skip
SESSIONS_SHOWN = 60
GREEN = "ok"

CallId = Annotated[str, typer.Argument(help="Graph's id of the call record.")]
People = Annotated[bool, typer.Option("--people", help="Show names and numbers, which are personal data.")]


def status(*, as_json: Json = False) -> None:
    """Whether data flows: every process and tenant, green only if it said so within 30 s. Exit 1 if not all are."""
    reports, fresh = asyncio.run(_status())
    show("Processes", STATUS_COLUMNS, [_picked(row, STATUS_COLUMNS) for row in reports], as_json=as_json)
    if not as_json:
        columns = tuple(fresh[0]) if fresh else ("tenant_id",)
        show("Freshness", columns, [_picked(row, columns) for row in fresh], as_json=False)
    if not reports or any(row["state"] != GREEN for row in reports):
        tell("Not everything is green.")
        raise typer.Exit(1)


async def _status() -> tuple[list[Row], list[Row]]:
    async with Store.connect() as opened:
        return await opened.rows(store.STATUS), await opened.rows(store.FRESHNESS)


def lookup(call_id: CallId, *, people: People = False, as_json: Json = False) -> None:
    """One call by its id: newest version, parties, sessions, history, timeline. Exit 1 if it is unknown."""
    calls = asyncio.run(_lookup(call_id))
    if as_json:
        typer.echo(json.dumps([_document(call, people=people) for call in calls], default=str))
    for call in calls if not as_json else ():
        _show_call(call, people=people)
    if not calls:
        tell("The store does not know this call.")
        raise typer.Exit(1)


async def _lookup(call_id: str) -> list[dict[str, Any]]:
    async with Store.connect() as opened:
        return [await _whole(opened, call) for call in await opened.rows(store.CALLS, call_id)]


async def _whole(opened: Store, call: Row) -> dict[str, Any]:
    one, filed = (call["tenant_id"], call["call_id"]), call["call_start"]
    return {
        "call": call,
        "parties": await opened.rows(store.PARTIES, *one, filed),
        "sessions": await opened.rows(store.SESSIONS, *one, filed, SESSIONS_SHOWN),
        "versions": await opened.rows(store.VERSIONS, *one),
        "timeline": await opened.rows(store.TIMELINE, *one),
    }


def _show_call(whole: dict[str, Any], *, people: bool) -> None:
    columns = (*PARTY_COLUMNS, *PEOPLE_COLUMNS) if people else PARTY_COLUMNS
    call = whole["call"]
    show(f"Call {call['call_id']}", CALL_COLUMNS, [_picked(call, CALL_COLUMNS)], as_json=False)
    show("Parties", columns, [_picked(row, columns) for row in whole["parties"]], as_json=False)
    show("Sessions", SESSION_COLUMNS, [_picked(row, SESSION_COLUMNS) for row in whole["sessions"]], as_json=False)
    if call["session_count"] > SESSIONS_SHOWN:
        tell(f"The first {SESSIONS_SHOWN} of {call['session_count']} sessions are shown.")
    show("Versions", VERSION_COLUMNS, [_picked(row, VERSION_COLUMNS) for row in whole["versions"]], as_json=False)
    columns = ("at", "event", "version", "since_previous_ms")
    show("Timeline", columns, [_picked(row, columns) for row in whole["timeline"]], as_json=False)


def _document(whole: dict[str, Any], *, people: bool) -> dict[str, Any]:
    columns = (*PARTY_COLUMNS, *PEOPLE_COLUMNS) if people else PARTY_COLUMNS
    return {
        "call": {name: whole["call"][name] for name in ("call_id", *CALL_COLUMNS)},
        "parties": [{name: row[name] for name in columns} for row in whole["parties"]],
        **{part: whole[part] for part in ("sessions", "versions", "timeline")},
    }


def _picked(row: Row, columns: tuple[str, ...]) -> tuple[Any, ...]:
    return tuple(row[name] for name in columns)
