"""`ringback status` and `ringback lookup`: is data flowing, and what became of one call."""

import asyncio
from typing import Annotated, Any

import typer

from ringback_cli import store
from ringback_cli.core.causes import FAILURE, FEEDBACK, POOR, failures, feedback, poor_streams
from ringback_cli.output import Json, document, show, tell
from ringback_cli.store import Row, Store

__all__ = ["lookup", "status"]

STATUS_COLUMNS = ("process", "tenant_id", "state", "age_seconds", "detail")
CALL_COLUMNS = (
    "tenant_id", "version", "revision", "type", "start_date_time", "duration_ms", "session_count", "quality_verdict",
    "worst_feedback", "failure_stage", "stored_at",
)  # fmt: skip
PARTY_COLUMNS = (
    "index", "kind", "relation", "is_organizer", "took_part", "platforms", "session_count", "joined_ms", "verdict",
    "feedback_rating",
)  # fmt: skip
PEOPLE_COLUMNS = ("display_name", "user_principal_name", "phone_number")
VERSION_COLUMNS = (
    "version", "revision", "last_modified_date_time", "session_count", "quality_verdict", "first_stored_at",
)  # fmt: skip
SESSION_COLUMNS = (
    "ordinal", "start_date_time", "duration_ms", "verdict", "caller_platform", "callee_platform", "failure_stage",
)  # fmt: skip
TIMELINE_COLUMNS = ("at", "event", "version", "since_previous_ms")
SESSIONS_SHOWN, CAUSES_SHOWN = 60, 20
"""Of a table; a JSON document has all."""
GREEN = "ok"

CallId = Annotated[str, typer.Argument(help="Graph's id of the call record.")]
People = Annotated[
    bool, typer.Option("--people", help="Show names, numbers, devices and words of users, which are personal data.")
]


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
    """One call by its id: why it was poor or failed, parties, sessions, history, timeline. Exit 1 if it is unknown."""
    calls = asyncio.run(_lookup(call_id))
    if as_json:
        document([_document(call, people=people) for call in calls])
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
    sessions = await opened.rows(store.SESSIONS, *one, filed)
    by_ordinal = {session["ordinal"]: session for session in sessions}
    poor = await opened.rows(store.POOR_STREAMS, *one, filed)
    return {
        "call": call,
        "poor": [{**by_ordinal.get(stream["session_ordinal"], {}), **stream} for stream in poor],
        "parties": await opened.rows(store.PARTIES, *one, filed),
        "sessions": sessions,
        "versions": await opened.rows(store.VERSIONS, *one),
        "timeline": await opened.rows(store.TIMELINE, *one),
    }


def _causes(whole: dict[str, Any], *, people: bool) -> dict[str, list[dict[str, Any]]]:
    """Why it was poor or failed, by kind of cause."""
    return {
        "poor_streams": poor_streams(whole["poor"], people=people),
        "failures": failures(whole["sessions"], people=people),
        "feedback": feedback(whole["sessions"], people=people),
    }


def _show_call(whole: dict[str, Any], *, people: bool) -> None:
    call = whole["call"]
    show(f"Call {call['call_id']}", CALL_COLUMNS, [_picked(call, CALL_COLUMNS)], as_json=False)
    _show_causes(_causes(whole, people=people), people=people)
    columns = (*PARTY_COLUMNS, *PEOPLE_COLUMNS) if people else PARTY_COLUMNS
    show("Parties", columns, [_picked(row, columns) for row in whole["parties"]], as_json=False)
    _show_some("Sessions", SESSION_COLUMNS, whole["sessions"], SESSIONS_SHOWN)
    show("Versions", VERSION_COLUMNS, [_picked(row, VERSION_COLUMNS) for row in whole["versions"]], as_json=False)
    show("Timeline", TIMELINE_COLUMNS, [_picked(row, TIMELINE_COLUMNS) for row in whole["timeline"]], as_json=False)


def _show_causes(causes: dict[str, list[dict[str, Any]]], *, people: bool) -> None:
    titles = {"poor_streams": "Why it was poor", "failures": "Why it failed", "feedback": "What users say"}
    columns = {"poor_streams": POOR, "failures": FAILURE, "feedback": FEEDBACK}
    more = {"poor_streams": (), "failures": ("reason",), "feedback": ("text",)}
    for kind, rows in causes.items():
        if rows:
            _show_some(titles[kind], (*columns[kind], *(more[kind] if people else ())), rows, CAUSES_SHOWN)
    if any(causes.values()) and not people:
        tell("--people adds names of devices, Graph's reasons and users' own words, which are personal data.")


def _show_some(title: str, columns: tuple[str, ...], rows: list[dict[str, Any]], most: int) -> None:
    """The first of the rows; how many are left out is said."""
    show(title, columns, [_picked(row, columns) for row in rows[:most]], as_json=False)
    if len(rows) > most:
        tell(f"{title}: the first {most} of {len(rows)} are shown; --json has all.")


def _document(whole: dict[str, Any], *, people: bool) -> dict[str, Any]:
    parties = (*PARTY_COLUMNS, *PEOPLE_COLUMNS) if people else PARTY_COLUMNS
    call = ("call_id", *CALL_COLUMNS, *(("failure_reason",) if people else ()))
    return {
        "call": {name: whole["call"][name] for name in call},
        "causes": _causes(whole, people=people),
        "parties": [{name: row[name] for name in parties} for row in whole["parties"]],
        "sessions": [{name: row[name] for name in SESSION_COLUMNS} for row in whole["sessions"]],
        **{part: whole[part] for part in ("versions", "timeline")},
    }


def _picked(row: Row, columns: tuple[str, ...]) -> tuple[Any, ...]:
    return tuple(row[name] for name in columns)
