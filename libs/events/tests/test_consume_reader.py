"""The reader of many partitions: what it says to commit is safe through rebalances, kills and broken values."""

from typing import Protocol

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from ringback_events.consume import SessionAssembler, SessionReader, SessionsOfVersion, newer
from ringback_events.project import project
from ringback_testing.properties import examples
from ringback_testing.record_makers import MakeRecord


class Publish(Protocol):
    """Makes the values of one version of a call."""

    def __call__(self, call: str, version: int = 1, sessions: int = 2) -> list[bytes]:
        """Its sessions by ordinal, then the marker."""
        ...


@pytest.fixture(scope="session")
def publish(make_record: MakeRecord) -> Publish:
    """The values of one version on the topic: its sessions, then the marker."""

    def values(call: str, version: int = 1, sessions: int = 2) -> list[bytes]:
        record = make_record(sessions=sessions, streams=0, call=call, version=version)
        opened = project(record, lambda _party: None)
        return [orjson.dumps(each) for each in (*opened.sessions, opened.completed)]

    return values


def given_by(reader: SessionReader[int], partition: int, first: int, values: list[bytes]) -> list[SessionsOfVersion]:
    """All that the reader makes whole of these values, laid from an offset on."""
    read = (reader.read(partition, offset, value) for offset, value in enumerate(values, start=first))
    return [whole for whole in read if whole is not None]


def test_each_partition_is_read_for_itself(publish: Publish) -> None:
    """Equal offsets of two partitions are two places; what waits in one holds back that one alone."""
    reader: SessionReader[int] = SessionReader()
    assert given_by(reader, 0, 10, publish("a")[:2]) == []
    assert [each.call_id for each in given_by(reader, 1, 10, publish("b"))] == ["b"]
    assert reader.commits() == {0: 10, 1: 13}
    assert [each.call_id for each in given_by(reader, 0, 12, publish("a")[2:])] == ["a"]
    assert reader.commits() == {0: 13, 1: 13}


def test_a_rebalance_forgets_everything(publish: Publish) -> None:
    """Nothing is committed for a partition that another member may own; it begins at the commit and has it whole."""
    reader: SessionReader[int] = SessionReader()
    given_by(reader, 0, 10, publish("a")[:2])
    committed = reader.commits()[0]
    reader.forget()
    assert reader.commits() == {}
    [whole] = given_by(reader, 0, committed, publish("a"))
    assert len(whole.sessions) == 2


def test_an_incremental_rebalance_forgets_what_is_revoked_alone(publish: Publish) -> None:
    """The reading of a partition that is kept goes on where it is: what waits in it is neither lost nor committed."""
    reader: SessionReader[int] = SessionReader()
    given_by(reader, 0, 10, publish("a")[:2])
    given_by(reader, 1, 10, publish("b")[:2])
    reader.forget([1, 7])
    assert reader.commits() == {0: 10}
    assert [each.call_id for each in given_by(reader, 0, 12, publish("a")[2:])] == ["a"]
    assert [each.call_id for each in given_by(reader, 1, 10, publish("b"))] == ["b"]


def test_a_reading_that_goes_back_begins_anew(publish: Publish) -> None:
    """A log made anew, or a client that seeks back: nothing of the reading before is taken for this one."""
    reader: SessionReader[int] = SessionReader()
    given_by(reader, 0, 10, [*publish("a"), *publish("b")[:1]])
    assert [each.call_id for each in given_by(reader, 0, 0, publish("a"))] == ["a"]
    assert reader.commits() == {0: 3}


@pytest.mark.parametrize("value", [b"", b"{", b"null", b"[]", b"\xff", None])
def test_a_broken_value_is_told_and_passed(publish: Publish, value: bytes | None) -> None:
    """It is a ValueError, and the loop that notes it and goes on commits beyond it; its neighbours lose nothing."""
    reader: SessionReader[int] = SessionReader()
    with pytest.raises(ValueError):  # noqa: PT011 - pydantic's errors and from_json's share only this base
        reader.read(0, 7, value)
    assert reader.commits() == {0: 8}
    assert len(given_by(reader, 0, 8, publish("a"))) == 1
    assert reader.short == 0


def test_what_a_broken_value_cost_is_counted_through_rebalances(publish: Publish) -> None:
    """Its version's marker finds a session missing: one number to alarm on, whichever partitions are read."""
    reader: SessionReader[int] = SessionReader()
    first, _, marker = publish("a")
    for number in (1, 2):
        reader.read(0, 7, first)
        with pytest.raises(ValueError, match="EOF"):
            reader.read(0, 8, b"{")
        assert reader.read(0, 9, marker) is None
        assert (reader.short, reader.given_up, reader.commits()) == (number, 0, {0: 10})
        reader.forget()
        assert reader.short == number


def test_an_older_version_may_come_after_a_rebalance(publish: Publish) -> None:
    """A reader keeps nothing beyond a rebalance: `newer` says of what it gives that it is older than what is held."""
    reader: SessionReader[int] = SessionReader()
    [held] = given_by(reader, 0, 0, publish("a", version=2))
    reader.forget([0])
    [late] = given_by(reader, 0, 3, publish("a", version=1))
    assert not newer(late, held)


def test_what_bounds_gave_up_is_counted_through_rebalances(publish: Publish) -> None:
    """One number to alarm on, whichever partitions are read; bounds are those of the assemblers that it is given."""
    reader: SessionReader[int] = SessionReader(lambda: SessionAssembler(hold=1))
    unfinished = [*publish("a")[:1], *publish("b")[:1]]
    given_by(reader, 0, 0, unfinished)
    given_by(reader, 1, 0, unfinished)
    assert reader.given_up == 2
    reader.forget()
    given_by(reader, 1, 0, unfinished)
    given_by(reader, 1, 0, unfinished[:1])  # goes back
    assert reader.given_up == 3


@examples(60)
@given(st.data())
def test_members_that_come_and_go_miss_nothing(publish: Publish, data: st.DataObject) -> None:
    """Two partitions, rebalances and kills anywhere, commits now and then: every version is handed out whole."""
    logs = {
        partition: [value for call in ("a", "b", "c") for value in publish(f"{call}{partition}")]
        for partition in (0, 1)
    }
    for log in logs.values():  # sessions of one call between those of another, as two publishers write them
        log[2], log[3] = log[3], log[2]
    committed = {0: 0, 1: 0}
    handed: set[str] = set()
    for _ in range(data.draw(st.integers(0, 8))):
        _read_some(logs, committed, handed, data.draw(st.integers(0, 12)), data.draw(st.integers(1, 5)))
    _read_some(logs, committed, handed, 100, 1)
    assert handed == {f"{call}{partition}" for partition in (0, 1) for call in ("a", "b", "c")}
    assert committed == {partition: len(log) for partition, log in logs.items()}


def _read_some(
    logs: dict[int, list[bytes]], committed: dict[int, int], handed: set[str], records: int, commit_every: int
) -> None:
    """One member's time: reads from what is committed, commits every so many records, then is gone."""
    reader: SessionReader[int] = SessionReader()
    position = dict(committed)
    for number in range(records):
        partition = number % 2
        if position[partition] == len(logs[partition]):
            continue
        whole = reader.read(partition, position[partition], logs[partition][position[partition]])
        position[partition] += 1
        handed |= {whole.call_id} if whole else set()
        if number % commit_every == 0:
            committed |= reader.commits()
