"""Finds the dead letters a command is about, and reads them again one by one when it acts.

Twice, because all of them together may not fit into memory: a letter may have 9 MiB.
"""

from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from ringback_common.outcomes import Message, Received
from ringback_common.settings import KafkaSettings
from ringback_events.dead_letters import LetterPlace
from ringback_events.topics import INTERNAL_DEAD_LETTERS, RESTRICTED_DEAD_LETTERS

from ringback_cli.carrying import Deed
from ringback_cli.core.letters import Filter, letter_of, undecided
from ringback_cli.core.plans import Plan
from ringback_cli.core.releases import Unreleasable
from ringback_cli.reading import decisions, scan

__all__ = ["Judge", "Selection", "deeds", "select"]

_KEPT = timedelta(days=31)
"""Dead letters live 30 days: no decision about a present one is older."""
_TOPICS = (INTERNAL_DEAD_LETTERS.name, RESTRICTED_DEAD_LETTERS.name)

Judge = Callable[[Received], Message | Unreleasable | None]
"""What is to be written for a dead letter: a record, nothing, or why nothing can be done."""


@dataclass(slots=True)
class Selection:
    """The letters that are asked for and not decided yet; `plan` counts the others of the filter, too."""

    plan: Plan = field(default_factory=Plan)
    places: set[LetterPlace] = field(default_factory=set[LetterPlace])
    oldest: datetime | None = None


async def select(kafka: KafkaSettings, only: Filter, judge: Judge, now: datetime, *, again: bool) -> Selection:
    """Read the heads.

    Args:
        kafka: where.
        only: what is asked for.
        judge: what can be done about each.
        now: the wall clock, UTC.
        again: also those that were decided about before.

    Raises:
        ConfigError: a topic does not exist.
        Transient: Kafka does not answer.
    """
    decided = {} if again else await decisions(kafka, only.since or now - _KEPT)
    selection = Selection()
    async for received in _letters(kafka, only):
        letter = letter_of(received)
        if not (only.admits(letter) and undecided(letter, decided)):
            continue
        answer = judge(received)
        selection.plan.add(letter.source, letter.reason, _goes_to(answer), received.key or b"")
        if not isinstance(answer, Unreleasable):
            selection.places.add(letter.place)
            selection.oldest = min(letter.at, selection.oldest or letter.at)
    return selection


async def deeds(kafka: KafkaSettings, only: Filter, selection: Selection, judge: Judge) -> AsyncGenerator[Deed]:
    """What is to be done about each selected letter; raises as `select`."""
    async with aclosing(_letters(kafka, only, selection.oldest)) as letters:
        async for received in letters:
            place = letter_of(received).place
            if place not in selection.places:
                continue
            answer = judge(received)
            if not isinstance(answer, Unreleasable):
                yield Deed(str(place), answer)


async def _letters(kafka: KafkaSettings, only: Filter, since: datetime | None = None) -> AsyncGenerator[Received]:
    named = {place.topic for place in only.places}
    for topic in _TOPICS:
        if not named or topic in named:
            async with aclosing(scan(kafka, topic, since or only.since)) as records:
                async for received in records:
                    yield received


def _goes_to(answer: Message | Unreleasable | None) -> str:
    if isinstance(answer, Message):
        return answer.topic
    return f"stays ({answer})" if answer is not None else "stays (discarded)"
