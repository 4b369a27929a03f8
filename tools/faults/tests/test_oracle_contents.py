"""I13 by content: the record's members, the open events and the rows against Graph's JSON; each planted bug is red."""

from dataclasses import replace
from typing import Any

import pytest
from ringback_faults.ledgers import Contents

from .conftest import CALLS, KEY, MARKER, OPEN, RECORDS, SAID, SESSIONS, Story

WRONG: dict[str, dict[str, Any]] = {
    "another session's content": {"sessions": {0: "second"}},
    "a session beside": {"sessions": {0: "first", 1: "second"}},
    "a party less": {"kinds": ("user",)},
    "a party of another kind": {"kinds": ("user", "guest")},
    "another count": {"count": 2},
    "other times": {"call": "other"},
}


def _change(story: Story, topic: str, contents: Contents) -> None:
    place = next(n for n, record in enumerate(story.records) if record.topic == topic)
    story.records[place] = replace(story.records[place], contents=contents)


@pytest.mark.parametrize("wrong", [*WRONG.values(), {"people": "others"}, {"sessions": {}}], ids=str)
def test_a_record_that_is_not_its_own_json(story: Story, wrong: dict[str, Any]) -> None:
    """What the enricher derived says something else than what Graph served with it."""
    _change(story, RECORDS, replace(SAID, **wrong))
    assert story.broken() == {"I13"}


@pytest.mark.parametrize("wrong", [*WRONG.values(), {"people": "others"}, {"sessions": {}}], ids=str)
def test_rows_that_are_not_their_document(story: Story, wrong: dict[str, Any]) -> None:
    """M21: one participant a call and no streams, and whatever else a row may lack."""
    story.calls[KEY] = replace(story.calls[KEY], contents=replace(SAID, **wrong))
    assert story.broken() == {"I13"}


@pytest.mark.parametrize("wrong", ["a party less", "a party of another kind", "another count", "other times"])
def test_an_open_call_that_is_not_its_version(story: Story, wrong: str) -> None:
    """The record beside it is right."""
    _change(story, CALLS, replace(OPEN[CALLS], **WRONG[wrong]))
    assert story.broken() == {"I13"}


@pytest.mark.parametrize("wrong", ["another session's content", "a session beside", "another count"])
def test_an_open_session_that_is_not_its_version(story: Story, wrong: str) -> None:
    """M22: every session with the first one's content; the ids and the count of the events are right."""
    _change(story, SESSIONS, replace(OPEN[SESSIONS], **WRONG[wrong]))
    assert story.broken() == {"I13"}


def test_a_marker_that_says_another_count(story: Story) -> None:
    """All sessions are there, and a consumer that counts them waits for ever."""
    place = max(n for n, record in enumerate(story.records) if record.topic == SESSIONS)
    story.records[place] = replace(story.records[place], contents=replace(MARKER, count=2))
    assert story.broken() == {"I13"}


def test_an_open_call_before_its_sessions(story: Story) -> None:
    """M20: everything is there and right, in the wrong order; in the same millisecond nothing can be said."""
    place = next(n for n, record in enumerate(story.records) if record.topic == CALLS)
    marker = max(record.at for record in story.records if record.topic == SESSIONS)
    story.records[place] = replace(story.records[place], at=marker)
    assert story.broken() == set()
    story.records[place] = replace(story.records[place], at=marker - 0.001)
    assert story.broken() == {"I13"}


def test_a_revision_is_held_against_its_own_json(story: Story) -> None:
    """The next revision of a version, from other rules: other kinds of parties, in its JSON as in its events."""
    other = replace(SAID, kinds=("user", "guest"))
    story.published(103.0, revision=2)
    story.records[-4:] = [
        replace(record, source=other if record.source else None, contents=_revised(record.contents))
        for record in story.records[-4:]
    ]
    story.committed(104.0)
    story.versions[0] = replace(story.versions[0], revision=2)
    story.calls[KEY] = replace(story.calls[KEY], revision=2)
    assert story.broken() == set()


def _revised(said: Contents | None) -> Contents | None:
    return replace(said, kinds=("user", "guest")) if said and said.kinds else said


def test_what_the_harness_planted_is_not_held_against_graph(story: Story) -> None:
    """Poison says what it says."""
    record = next(one for one in story.records if one.topic == RECORDS)
    story.records.append(replace(record, at=102.0, offset=2, contents=Contents(), source=SAID))
    story.planted[record.topic, record.partition, 2] = ""
    story.committed(102.5)
    assert story.broken() == set()
