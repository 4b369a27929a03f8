"""The consumer kit over any partition that publishers, replays and cuts could have written, against a model."""

from collections.abc import Callable, Iterator
from functools import cache

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from ringback_events.consume import SessionAssembler, SessionsOfVersion, newer, read_session_event
from ringback_events.open import OpenSession, SessionsCompleted
from ringback_events.project import project
from ringback_testing.properties import examples
from ringback_testing.record_makers import MakeRecord

Event = OpenSession | SessionsCompleted
Publish = Callable[[str, int, int], tuple[Event, ...]]
RANKS = [(version, revision) for version in (1, 2, 3) for revision in (1, 2)]


@pytest.fixture(scope="session")
def publish(make_record: MakeRecord) -> Publish:
    """The events of one version: as many sessions as its version says, then the marker."""

    @cache
    def events(call: str, version: int, revision: int) -> tuple[Event, ...]:
        record = make_record(sessions=version, streams=0, call=call, version=version, revision=revision)
        opened = project(record, lambda _party: None)
        return tuple(read_session_event(orjson.dumps(each)) for each in (*opened.sessions, opened.completed))

    return events


@st.composite
def partitions(draw: st.DrawFn) -> list[tuple[str, int, int, int]]:
    """Call, version, revision and index of each event: publications cut at either end, by two publishers at once."""
    publications: list[list[tuple[str, int, int, int]]] = []
    for call, (version, revision), first, last in draw(
        st.lists(
            st.tuples(st.sampled_from("xy"), st.sampled_from(RANKS), st.integers(0, 3), st.integers(0, 4)), max_size=9
        )
    ):
        whole = [(call, version, revision, index) for index in range(version + 1)]
        publications.append(whole[first if first < 2 else 0 :][: len(whole) - (last if last < 2 else 0)])
    written: list[tuple[str, int, int, int]] = []
    hands = [iter(publications.pop(0)) for _ in range(min(2, len(publications)))]
    while hands:
        hand = draw(st.sampled_from(hands))
        event = next(hand, None)
        if event is not None:
            written.append(event)
        else:
            hands.remove(hand)
            hands += [iter(publications.pop(0))] if publications else []
    return written


def expected(written: list[tuple[str, int, int, int]]) -> Iterator[tuple[str, int, int] | None]:
    """What each event makes whole: the newest rank met so far, when its marker finds all its sessions since."""
    newest: dict[str, tuple[int, int]] = {}
    seen: dict[str, set[int]] = {}
    whole: set[tuple[str, int, int]] = set()
    for call, version, revision, index in written:
        if (version, revision) > newest.get(call, (0, 0)):
            newest[call], seen[call] = (version, revision), set()
        rank, expected_rank = (call, version, revision), None
        if (version, revision) == newest[call] and rank not in whole:
            if index < version:
                seen[call].add(index)
            else:
                expected_rank = rank if len(seen[call]) == version else None
                whole |= {rank} if expected_rank else set()
                seen[call] = set()
        yield expected_rank


@examples(200)
@given(partitions())
def test_any_partition_gives_each_newest_version_once_whole_and_never_an_older_one(
    publish: Publish, written: list[tuple[str, int, int, int]]
) -> None:
    """The kit gives what the model says, event by event; ranks of a call only rise, versions are never mixed."""
    assembler = SessionAssembler()
    last: dict[str, SessionsOfVersion] = {}
    for (call, version, revision, index), whole in zip(written, expected(written), strict=True):
        given_ = assembler.add(publish(call, version, revision)[index])
        assert (given_ and (given_.call_id, given_.version, given_.revision)) == whole
        if given_ is not None:
            assert newer(given_, last.get(call))
            last[call] = given_
            assert [(each.ordinal, each.version, each.revision) for each in given_.sessions] == [
                (ordinal, version, revision) for ordinal in range(version)
            ]


@examples(100)
@given(partitions(), st.data())
def test_a_reader_that_starts_again_where_it_may_misses_nothing(
    publish: Publish, written: list[tuple[str, int, int, int]], data: st.DataObject
) -> None:
    """Stopped anywhere and begun anew at `resume_from`: each call's newest whole version is the same as without."""

    def read(assembler: SessionAssembler, first: int, last: int, held: dict[str, SessionsOfVersion]) -> None:
        for offset, (call, version, revision, index) in enumerate(written[first:last], start=first):
            whole = assembler.add(publish(call, version, revision)[index], offset)
            if whole is not None and newer(whole, held.get(call)):
                held[call] = whole

    stop = data.draw(st.integers(0, len(written)))
    without, with_stop = dict[str, SessionsOfVersion](), dict[str, SessionsOfVersion]()
    read(SessionAssembler(), 0, len(written), without)
    before = SessionAssembler()
    read(before, 0, stop, with_stop)
    assert before.resume_from(stop) <= stop
    read(SessionAssembler(), before.resume_from(stop), len(written), with_stop)
    for call, whole in without.items():
        assert not newer(whole, with_stop.get(call))
