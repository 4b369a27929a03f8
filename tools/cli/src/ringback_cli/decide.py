"""`ringback dlq release` and `ringback dlq discard`: decide about dead letters, which themselves never change."""

import asyncio
from dataclasses import replace
from typing import Annotated

import typer
from ringback_common.clock import SystemClock
from ringback_common.errors import ConfigError
from ringback_common.settings import load
from ringback_events.dead_letters import DISCARD, RELEASE, LetterPlace, letter_place
from ringback_events.topics import ALL_TOPICS

from ringback_cli.acting import MaxRate, Order, Why, Yes, act, lay_out, report
from ringback_cli.audit import NOT_STATED, new_run, reason_of
from ringback_cli.core.letters import Filter
from ringback_cli.core.releases import release_of
from ringback_cli.output import Json, tenant_id, window
from ringback_cli.selecting import Judge, deeds, select
from ringback_cli.settings import KafkaAccess

__all__ = ["discard", "release"]

_DISCARDED_PER_SECOND = 1000

Wheres = Annotated[list[str] | None, typer.Argument(help="Letters as `ls` prints them: topic/partition/offset.")]
Reason = Annotated[str | None, typer.Option(help="Refused for this reason.")]
Fingerprint = Annotated[str | None, typer.Option(help="With this fingerprint: equal ones are equal faults.")]
Source = Annotated[str | None, typer.Option(help="Refused from this topic.")]
Tenant = Annotated[str | None, typer.Option(help="Of this tenant.")]
Call = Annotated[str | None, typer.Option(help="Of this call.")]
Since = Annotated[str | None, typer.Option(help="Refused at this time or later, ISO 8601, UTC.")]
Until = Annotated[str | None, typer.Option(help="Refused before this time.")]
Everything = Annotated[bool, typer.Option("--all", help="All of them; instead of a filter.")]
Again = Annotated[bool, typer.Option("--again", help="Also those that were released or discarded before.")]


def release(  # noqa: PLR0913 - an operator's options, one argument each
    where: Wheres = None,
    *,
    reason: Reason = None,
    fingerprint: Fingerprint = None,
    source: Source = None,
    tenant: Tenant = None,
    call: Call = None,
    since: Since = None,
    until: Until = None,
    everything: Everything = False,
    again: Again = False,
    why: Why = None,
    max_rate: MaxRate = 50,
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """Send dead letters back to the topic they came from, byte for byte; fetch requests to the bulk lane."""
    times = window(since, until, ("--since", "--until"))
    only = Filter(_places(where), reason, fingerprint, _source(source), tenant_id(tenant), call, *times)
    order = Order(RELEASE, "released", reason_of(why) if yes else NOT_STATED, new_run(), 0, max_rate)
    now = SystemClock().now()
    _require(only, everything=everything)
    asyncio.run(
        _decide(order, only, lambda one: release_of(one, order.run, now), again=again, yes=yes, as_json=as_json)
    )


def discard(  # noqa: PLR0913 - an operator's options, one argument each
    where: Wheres = None,
    *,
    reason: Reason = None,
    fingerprint: Fingerprint = None,
    source: Source = None,
    tenant: Tenant = None,
    call: Call = None,
    since: Since = None,
    until: Until = None,
    everything: Everything = False,
    again: Again = False,
    why: Why = None,
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """Decide that dead letters stay where they are: they leave the list, and end with the retention of their topic."""
    times = window(since, until, ("--since", "--until"))
    only = Filter(_places(where), reason, fingerprint, _source(source), tenant_id(tenant), call, *times)
    order = Order(DISCARD, "discarded", reason_of(why) if yes else NOT_STATED, new_run(), 0, _DISCARDED_PER_SECOND)
    _require(only, everything=everything)
    asyncio.run(_decide(order, only, lambda _: None, again=again, yes=yes, as_json=as_json))


async def _decide(order: Order, only: Filter, judge: Judge, *, again: bool, yes: bool, as_json: bool) -> None:
    kafka = load(KafkaAccess).kafka
    selection = await select(kafka, only, judge, SystemClock().now(), again=again)
    order = replace(order, count=len(selection.places))
    lay_out("Dead letters", selection.plan, order.count, order.rate, as_json=as_json)
    carried = None
    if yes and selection.places:
        carried = await act(kafka, order, deeds(kafka, only, selection, judge), lambda _: None)
    report(order, selection.plan, carried, as_json=as_json)


def _places(where: list[str] | None) -> frozenset[LetterPlace]:
    places = [letter_place(name) for name in where or ()]
    if None in places:
        raise ConfigError("A dead letter is named topic/partition/offset, as `ringback dlq ls` prints it.")
    return frozenset(place for place in places if place is not None)


def _source(name: str | None) -> str | None:
    if name is not None and name not in {topic.name for topic in ALL_TOPICS}:
        raise ConfigError("--source takes the name of a topic, e.g. callrecords.internal.fetch.v1.")
    return name


def _require(only: Filter, *, everything: bool) -> None:
    if only.is_empty != everything:
        raise ConfigError("Say which dead letters: some by name, or a filter such as --reason, or --all.")
