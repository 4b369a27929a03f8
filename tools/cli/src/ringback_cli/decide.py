"""`ringback dlq release` and `ringback dlq discard`: decide about dead letters, which themselves never change."""

import asyncio
from collections.abc import Callable
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

__all__ = ["discard", "place_named", "release"]

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


def _deciding(action: str, word: str, per_second: int, judge_of: Callable[[str], Judge]) -> Callable[..., None]:
    """A command that decides about dead letters.

    Args:
        action: as the audit trail names it.
        word: what one of them is when it is done.
        per_second: how many a second unless `--max-rate` says otherwise.
        judge_of: what is to be written for a letter, by the id of the run.
    """

    def decide(  # noqa: PLR0913 - an operator's options, one argument each
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
        max_rate: MaxRate = per_second,
        yes: Yes = False,
        as_json: Json = False,
    ) -> None:
        times = window(since, until, ("--since", "--until"))
        only = Filter(
            frozenset(map(place_named, where or ())),
            reason,
            fingerprint,
            _source(source),
            tenant_id(tenant),
            call,
            *times,
        )
        order = Order(action, word, reason_of(why) if yes else NOT_STATED, new_run(), 0, max_rate)
        _require(only, everything=everything)
        asyncio.run(_decide(order, only, judge_of(order.run), again=again, yes=yes, as_json=as_json))

    return decide


def _released(run: str) -> Judge:
    now = SystemClock().now()
    return lambda letter: release_of(letter, run, now)


release = _deciding(RELEASE, "released", 50, _released)
discard = _deciding(DISCARD, "discarded", 1000, lambda _: lambda _: None)


async def _decide(order: Order, only: Filter, judge: Judge, *, again: bool, yes: bool, as_json: bool) -> None:
    kafka = load(KafkaAccess).kafka
    selection = await select(kafka, only, judge, SystemClock().now(), again=again)
    order = replace(order, count=len(selection.places))
    lay_out("Dead letters", selection.plan, order.count, order.rate, as_json=as_json)
    carried = None
    if yes and selection.places:
        carried = await act(kafka, order, deeds(kafka, only, selection, judge), lambda _: None)
    report(order, selection.plan, carried, as_json=as_json)


def place_named(name: str) -> LetterPlace:
    """The place of a dead letter as `ls` prints it; raises ConfigError for anything else."""
    place = letter_place(name)
    if place is None:
        raise ConfigError("A dead letter is named topic/partition/offset, as `ringback dlq ls` prints it.")
    return place


def _source(name: str | None) -> str | None:
    if name is not None and name not in {topic.name for topic in ALL_TOPICS}:
        raise ConfigError("--source takes the name of a topic, e.g. callrecords.internal.fetch.v1.")
    return name


def _require(only: Filter, *, everything: bool) -> None:
    if only.is_empty != everything:
        raise ConfigError("Say which dead letters: some by name, or a filter such as --reason, or --all.")
