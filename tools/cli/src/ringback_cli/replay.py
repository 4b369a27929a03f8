"""`ringback replay`: ask Graph again for calls, on the bulk lane; what comes is published whatever is known already."""

import asyncio
import sys
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer
from ringback_common.clock import SystemClock
from ringback_common.errors import ConfigError
from ringback_common.settings import load
from ringback_events.keys import call_key
from ringback_events.topics import FETCH_BULK

from ringback_cli import store
from ringback_cli.acting import MaxRate, Order, Why, Yes, act, lay_out, report
from ringback_cli.audit import NOT_STATED, new_run, reason_of
from ringback_cli.carrying import Carried, Deed
from ringback_cli.core.plans import Plan
from ringback_cli.core.releases import KEPT_BY_GRAPH
from ringback_cli.core.replays import UnreadableLineError, digest_of, read_calls, remaining, request_of
from ringback_cli.cursor import Cursor, Position, state_folder
from ringback_cli.output import Json, tell, tenant_id, window
from ringback_cli.settings import KafkaAccess
from ringback_cli.store import Store

__all__ = ["replay"]

ACTION = "call.replay"

Calls = Annotated[str | None, typer.Option(help="A file with one call a line: tenant|call; `-` for standard input.")]
Tenant = Annotated[str | None, typer.Option(help="The tenant of the calls.")]
From = Annotated[str | None, typer.Option("--from", help="Calls the store has that began at this time or later, UTC.")]
To = Annotated[str | None, typer.Option("--to", help="Calls the store has that began before this time.")]
CursorFile = Annotated[Path | None, typer.Option("--cursor", help="Where an unfinished run notes how far it came.")]


@dataclass(frozen=True, slots=True)
class _Asked:
    """The calls of a replay, sorted, each once; and what makes this selection this one."""

    keys: Sequence[str]
    origin: str
    tenant: str | None
    name: str


def replay(  # noqa: PLR0913 - an operator's options, one argument each
    *,
    calls: Calls = None,
    tenant: Tenant = None,
    since: From = None,
    until: To = None,
    why: Why = None,
    max_rate: MaxRate = 50,
    cursor: CursorFile = None,
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """Ask Graph again for the calls of a file, or for those the store has of a tenant and a time."""
    given = reason_of(why) if yes else NOT_STATED
    asked = _asked(calls, tenant, *window(since, until))
    noted = Cursor(cursor or state_folder() / f"replay-{asked.name}.json")
    position = noted.read() or Position(new_run())
    left = remaining(asked.keys, position.after)
    order = Order(ACTION, "asked for again", given, position.run, len(left), max_rate, asked.tenant)
    if yes and left:
        noted.write(position)  # that it cannot be is to be known before anything is done
    plan = _plan(asked, left)
    lay_out("Calls", plan, order.count, order.rate, as_json=as_json)
    if position.after is not None:
        tell(f"An earlier run asked for {position.done} of them; this one goes on from there ({noted.path}).")
    carried = asyncio.run(_act(order, left, noted, position)) if yes and left else None
    if yes and _is_whole(asked, position, carried, len(left)):
        noted.finish()
    report(order, plan, carried, as_json=as_json)


def _is_whole(asked: _Asked, position: Position, carried: Carried | None, count: int) -> bool:
    """Whether all is done, be it by an earlier run that was killed right behind its last call."""
    if carried is not None:
        return carried.done == count
    return bool(asked.keys) and position.after == asked.keys[-1]


async def _act(order: Order, keys: Sequence[str], noted: Cursor, position: Position) -> Carried:
    kafka, clock = load(KafkaAccess).kafka, SystemClock()

    async def deeds() -> AsyncGenerator[Deed]:
        for key in keys:
            yield Deed(key, request_of(key, order.run, clock.now()))

    def note(step: Sequence[Deed]) -> None:
        nonlocal position
        position = replace(position, after=step[-1].target, done=position.done + len(step))
        noted.write(position)

    return await act(kafka, order, deeds(), note)


def _plan(asked: _Asked, keys: Sequence[str]) -> Plan:
    plan = Plan()
    for key in keys:
        plan.add(asked.origin, "replay", FETCH_BULK.name, key.encode())
    return plan


def _asked(calls: str | None, tenant: str | None, since: datetime | None, until: datetime | None) -> _Asked:
    if calls is not None and since is None and until is None:
        keys = _read(calls, tenant_id(tenant))
        return _Asked(keys, "standard input" if calls == "-" else calls, tenant, digest_of(keys))
    if calls is None and tenant is not None and since is not None and until is not None:
        keys = asyncio.run(_stored(tenant_id(tenant) or tenant, since, until))
        return _Asked(keys, "store", tenant, digest_of((tenant, since.isoformat(), until.isoformat())))
    raise ConfigError("Say which calls: either --calls FILE, or --tenant with --from and --to.")


def _read(calls: str, tenant: str | None) -> list[str]:
    try:
        text = sys.stdin.read() if calls == "-" else Path(calls).read_text(encoding="utf-8")
        return read_calls(text.splitlines(), tenant)
    except (OSError, UnicodeDecodeError):
        raise ConfigError(f"The file {calls} cannot be read.") from None
    except UnreadableLineError as unreadable:
        raise ConfigError(
            f"Line {unreadable.line} of {calls} names no call: write tenant|call, or the call alone with --tenant."
        ) from None


async def _stored(tenant: str, since: datetime, until: datetime) -> list[str]:
    now = SystemClock().now()
    oldest = now - KEPT_BY_GRAPH
    if until <= oldest or since > now:
        raise ConfigError(f"Graph has no calls of that time: it keeps them for {KEPT_BY_GRAPH.days} days, until now.")
    if since < oldest:
        tell(f"Graph keeps calls for {KEPT_BY_GRAPH.days} days: older ones are left out.")
    async with Store.connect() as opened:
        (answer,) = await opened.rows(store.KNOWS_TENANT, tenant)
        if not answer["known"]:
            raise ConfigError(
                f"The store has no call of the tenant {tenant}: see --tenant, or name the calls in a file."
            )
        rows = await opened.rows(store.CALLS_BETWEEN, tenant, max(since, oldest), until)
    return sorted(call_key(tenant, row["call_id"]).decode() for row in rows)
