import itertools
import random
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from ringback_events.consume import SessionAssembler, SessionsOfVersion, newer, read_call, read_session_event
from ringback_events.open import OpenSession
from ringback_events.project import project
from ringback_testing.record_makers import MakeEvents, MakeRecord, SessionEvents


@pytest.fixture(scope="session")
def published(make_record: MakeRecord) -> MakeEvents:
    """What the sessions topic holds of one version: its sessions, then the marker."""

    def events(version: int = 1, revision: int = 0, sessions: int = 3, call: str = "c1") -> SessionEvents:
        record = make_record(sessions=sessions, streams=0, call=call, version=version, revision=revision)
        opened = project(record, lambda _party: None)
        return [read_session_event(orjson.dumps(each)) for each in (*opened.sessions, opened.completed)]

    return events


def whole(assembler: SessionAssembler, events: SessionEvents) -> list[SessionsOfVersion]:
    """All that an assembler gives for these events, in order."""
    return [given for event in events if (given := assembler.add(event)) is not None]


def test_sessions_are_whole_with_their_marker(published: MakeEvents) -> None:
    """Nothing before the marker, everything with it, by ordinal."""
    assembler = SessionAssembler()
    *sessions, marker = published(sessions=3)
    assert whole(assembler, list(reversed(sessions))) == []
    given = assembler.add(marker)
    assert given is not None
    assert [session.ordinal for session in given.sessions] == [0, 1, 2]
    assert (given.call_id, given.version, given.revision) == ("c1", 1, 0)


def test_a_version_without_sessions_is_whole_at_once(published: MakeEvents) -> None:
    """A call may have no session at all."""
    [given] = whole(SessionAssembler(), published(sessions=0))
    assert given.sessions == ()


def test_repeats_give_nothing_new(published: MakeEvents) -> None:
    """A publisher that died halfway publishes all again; so does a replay."""
    events = published(sessions=3)
    assert len(whole(SessionAssembler(), [*events[:2], *events, *events])) == 1


def test_older_versions_are_dropped(published: MakeEvents) -> None:
    """v1, v3, v2: the third one changes nothing; a higher revision of v3 does."""
    assembler = SessionAssembler()
    order = [(1, 0), (3, 0), (2, 9), (3, 1), (3, 0)]
    given = [whole(assembler, published(version, revision)) for version, revision in order]
    assert [[(each.version, each.revision) for each in one] for one in given] == [[(1, 0)], [(3, 0)], [], [(3, 1)], []]


def test_an_unfinished_version_gives_way(published: MakeEvents) -> None:
    """Sessions of two versions are never mixed."""
    assembler = SessionAssembler()
    [given] = whole(assembler, [*published(1)[:2], *published(2, sessions=2), published(1)[-1]])
    assert {session.version for session in given.sessions} == {2}


def test_a_marker_without_its_sessions_gives_nothing(published: MakeEvents) -> None:
    """Reading that began in the middle of a version must not pass it off as whole, nor wait for it for ever."""
    assembler = SessionAssembler()
    assert whole(assembler, published()[1:]) == []
    assert assembler.resume_from(99) == 99
    assert len(whole(assembler, published())) == 1


def test_a_marker_without_its_sessions_still_ends_what_is_older(published: MakeEvents) -> None:
    """v3 whole, the marker of v4 alone, v2 replayed: v2 is not passed off as the newest."""
    assembler = SessionAssembler()
    given = whole(assembler, [*published(3), published(4)[-1], *published(2), *published(3)])
    assert [each.version for each in given] == [3]
    assert [each.version for each in whole(assembler, published(4))] == [4]


def test_offsets_to_commit(published: MakeEvents) -> None:
    """While sessions wait for their marker, their first offset is the one to commit."""
    assembler = SessionAssembler()
    for offset, event in enumerate([*published(call="a"), *published(call="b")[:2], *published(call="c")], start=10):
        assembler.add(event, offset)
    assert assembler.resume_from(19) == 14
    assembler.add(published(version=2, call="b", sessions=0)[0], 19)
    assert assembler.resume_from(20) == 20


def test_memory_is_bounded(published: MakeEvents) -> None:
    """Calls seen longest ago are forgotten."""
    assembler = SessionAssembler(remember=5)
    for number in range(20):
        whole(assembler, published(sessions=1, call=f"c{number}"))
    assert len(assembler._newest) == 5


@given(seed=st.integers(0, 10_000))
def test_any_interleaving_ends_with_the_newest(published: MakeEvents, seed: int) -> None:
    """Property: published in any order, each version whole or cut short and repeated: the newest comes last, whole."""
    shuffled = random.Random(seed)  # noqa: S311 - a reproducible order
    versions = [(1, 0), (1, 1), (2, 0), (3, 0)]
    shuffled.shuffle(versions)
    parts = [
        [*published(*each, sessions=2)[: shuffled.randrange(3)], *published(*each, sessions=2)] for each in versions
    ]
    given = whole(SessionAssembler(), list(itertools.chain.from_iterable(parts)))
    ranks = [(each.version, each.revision) for each in given]
    assert ranks == sorted(ranks)
    assert ranks[-1] == (3, 0)
    assert all(len(each.sessions) == 2 for each in given)


def test_newer_orders_by_version_then_revision(published: MakeEvents) -> None:
    """Equal is a repeat; nothing held is always older."""
    low, mid, high = published(1, 9)[0], published(2, 0)[0], published(2, 1)[0]
    assert newer(low, None)
    assert newer(mid, low)
    assert newer(high, mid)
    assert not newer(mid, mid)
    assert not newer(low, high)


def test_readers_ignore_what_a_later_version_adds(make_record: MakeRecord) -> None:
    """Unknown members are ignored at every depth; a wrong type is still an error."""
    opened: Any = project(make_record(), lambda _party: None)
    opened.call["addedLater"] = opened.call["counts"]["addedLater"] = 1
    opened.sessions[0]["caller"]["addedLater"] = {"a": 1}
    assert read_call(orjson.dumps(opened.call)).counts.parties == 2
    assert isinstance(read_session_event(orjson.dumps(opened.sessions[0])), OpenSession)
    with pytest.raises(ValidationError):
        read_call(orjson.dumps(opened.call | {"version": "three"}))


@pytest.mark.parametrize("value", [b"", b"{", b"null", b"[]", b'"completed"', b"\xff", b'{"completed": true}'])
def test_junk_is_a_value_error(value: bytes) -> None:
    """Whatever is on the topic, a reader meets one kind of exception."""
    with pytest.raises(ValueError):  # noqa: PT011 - pydantic's errors and from_json's share only this base
        read_session_event(value)
