"""I3, I4, I5 and I13: once, the newest, never back, whole."""

from dataclasses import replace
from typing import Any

import pytest
from ringback_faults.ledgers import Act, Children, Commit, Expected, Generation, StoredVersion, Write
from ringback_faults.oracle.index import ENRICHER

from .conftest import CALLS, FETCH, KEY, RECORDS, RETRY, SESSIONS, Story, children


def _second_version(story: Story) -> None:
    story.notified(101.0, version=2)
    story.asked(101.01, value=b"2")
    story.read(101.05, version=2)
    story.published(101.1, version=2)
    story.stored(101.2, version=2)
    story.committed(101.3)


def test_a_second_version_is_fine(story: Story) -> None:
    """Notified, fetched, published, stored: history has both, current the newer."""
    _second_version(story)
    assert story.broken() == set()


def test_rows_that_stand_twice(story: Story) -> None:
    """Of the call, or of its history."""
    story.calls[KEY] = replace(story.calls[KEY], surplus=1)
    assert story.broken() == {"I3"}
    story.calls[KEY] = replace(story.calls[KEY], surplus=0)
    story.versions.append(StoredVersion(KEY, 1, 1, 100.4))
    assert story.broken() == {"I3"}


def test_a_call_or_a_version_out_of_nowhere(story: Story) -> None:
    """Stored though Graph never had the call, or never served that version."""
    story.versions.append(StoredVersion(KEY, 7, 1, 100.4))
    assert story.broken() == {"I3"}
    story.versions.pop()
    stranger = (KEY[0], "bbbbbbbb-0000-0000-0000-000000000001")
    story.calls[stranger] = replace(story.calls[KEY], key=stranger)
    assert story.broken() == {"I3"}


def test_a_repeat_without_a_reason(story: Story) -> None:
    """The same event ids a second time, nobody killed, nobody asking again."""
    story.published(100.5)
    story.committed(100.7)
    assert story.broken() == {"I3"}
    assert story.broken(repeats="any") == set()


def test_repeats_are_allowed_up_to_what_a_kill_interrupted(story: Story) -> None:
    """One request was unfinished at the kill: one repeat, not two."""
    story.acts.append(Act(100.15, 101.0, "kill", "enricher"))
    story.published(100.5)
    story.committed(100.7)
    assert story.broken(repeats="span per kill") == set()
    story.published(100.9)
    story.committed(101.0)
    assert story.broken(repeats="span per kill") == {"I3"}
    assert story.broken() == {"I3"}


def test_what_a_kill_interrupted_of_one_call_excuses_no_repeat_of_another(story: Story) -> None:
    """This call was finished when the kill came; a request of another one was not."""
    story.acts.append(Act(100.4, 100.45, "kill", "enricher"))
    other = story.asked(100.35, value=b"another call", ce_id=b"another:eventhub:now")
    story.records[-1] = replace(other, key=(KEY[0], "bbbbbbbb-0000-0000-0000-000000000001"))
    story.published(100.5)
    story.committed(100.7)
    assert "I3" in story.broken(repeats="span per kill")


def test_a_kill_that_held_nothing_excuses_nothing(story: Story) -> None:
    """Everything was committed when it came."""
    story.acts.append(Act(100.4, 101.0, "kill", "enricher"))
    story.published(100.5)
    story.committed(100.7)
    assert story.broken(repeats="span per kill") == {"I3"}


def test_what_a_later_kill_held_excuses_nothing_before_it(story: Story) -> None:
    """The first kill held nothing and a repeat followed it; the second one held a request."""
    story.acts.append(Act(100.4, 100.45, "kill", "enricher"))
    story.published(100.5)
    story.committed(100.6)
    story.notified(101.0)
    story.asked(101.01, value=b"held")
    story.acts.append(Act(101.02, 101.1, "kill", "enricher"))
    story.read(101.5)
    story.committed(101.6)
    assert story.broken(repeats="span per kill") == {"I3"}


def test_what_waits_on_a_retry_tier_excuses_nothing_before_it_is_due(story: Story) -> None:
    """A request that is put off for a day is in nobody's hand at a kill."""
    story.acts.append(Act(100.4, 101.0, "kill", "enricher"))
    story.asked(100.3, topic="callrecords.internal.fetch-retry-60m.v1", ringback_due=b"187000000")
    story.published(100.5)
    assert "I3" in story.broken(repeats="span per kill")


def test_another_notification_at_another_process_excuses_a_repeat(story: Story) -> None:
    """After an orderly stop the next process cannot know what the first published; without the change it can."""
    story.notified(100.5)
    story.asked(100.51, value=b"again")
    story.read(100.6)
    story.published(100.7)
    story.committed(100.9)
    assert story.broken() == {"I3"}
    story.generations.append(Generation(100.4, ENRICHER, 2, 1))
    assert story.broken() == set()


@pytest.mark.parametrize(("offset", "broken"), [(0, {"I3"}), (1, set[str]()), (2, {"I3"})])
def test_a_request_that_a_hand_over_left_to_the_next_process_excuses_a_repeat(
    story: Story, offset: int, broken: set[str]
) -> None:
    """It came before the read, when its process took in nothing any more; not so if both are handed over, or none."""
    story.notified(100.015)
    again = story.asked(100.02, value=b"again")
    story.commits = [commit for commit in story.commits if commit.topic != FETCH]
    story.commits.append(Commit(100.3, ENRICHER, FETCH, again.partition, offset))
    story.generations.append(Generation(100.4, ENRICHER, 2, 1))
    story.read(100.6)
    story.published(100.7)
    story.committed(100.9)
    assert story.broken() == broken


def test_a_kill_excuses_nothing_before_it(story: Story) -> None:
    """Though a request is unfinished when it comes: it was another that was repeated."""
    story.published(100.5)
    story.committed(100.7)
    story.notified(100.8)
    story.asked(100.81)
    story.acts.append(Act(101.0, 102.0, "kill", "enricher"))
    story.read(101.1)
    story.committed(101.2)
    assert story.broken(repeats="span per kill") == {"I3"}


@pytest.mark.parametrize(("requests", "broken"), [(1, {"I3"}), (2, set[str]())])
def test_what_the_process_itself_put_off_excuses_a_repeat_if_it_was_another_request(
    story: Story, requests: int, broken: set[str]
) -> None:
    """Published and put off is a bug; one published and its companion put off, cut off at the hand-over, is none."""
    story.commits.clear()
    if requests > 1:
        story.notified(100.02)
        story.asked(100.03, value=b"again")
    put_off = {"ringback_attempt": b"1", "ringback_due": b"100500", "ringback_reason": b"tenant_paused"}
    story.asked(100.2, topic=RETRY, **put_off)
    story.committed(100.3)
    story.commits = [commit for commit in story.commits if commit.topic != RETRY]
    story.generations.append(Generation(100.4, ENRICHER, 2, 1))
    story.read(100.6)
    story.published(100.7)
    story.committed(100.9)
    assert story.broken() == broken


@pytest.mark.parametrize(
    ("headers", "read_by", "moved", "broken"),
    [
        ({"ringback_read": b"a1.1.0"}, 100.9, True, set[str]()),
        ({"ringback_read": b"a1.1.0"}, 100.3, True, {"I3"}),
        ({"ringback_read": b"a1.1.0"}, 100.9, False, {"I3"}),
        ({}, 100.9, True, {"I3"}),
    ],
    ids=["by the next process", "by the same one", "no other process", "no read went on"],
)
def test_the_copy_of_a_read_that_went_on_excuses_a_repeat_at_another_process(
    story: Story, *, headers: dict[str, bytes], read_by: float, moved: bool, broken: set[str]
) -> None:
    """The request was answered for by the copy before its read published; only that process knows what it did."""
    story.asked(100.02, topic=RETRY, ringback_attempt=b"1", ringback_due=b"100100", **headers)
    story.committed(100.04)
    (copy,) = [commit for commit in story.commits if commit.topic == RETRY]
    story.commits = [commit for commit in story.commits if commit is not copy]
    story.commits.append(replace(copy, at=read_by))
    if moved:
        story.generations.append(Generation(100.4, ENRICHER, 2, 1))
    story.read(100.6)
    story.published(100.7)
    assert story.broken() == broken


def test_a_marked_repeat_was_asked_for(story: Story) -> None:
    """A replay carries its mark and is no repeat."""
    story.published(100.5)
    story.records[-4:] = [replace(r, headers={**r.headers, "ringback_replay": b"true"}) for r in story.records[-4:]]
    story.committed(100.7)
    assert story.broken() == set()


def test_an_older_version_than_graph_served_is_stale(story: Story) -> None:
    """M4: version 2 was served and stored, then version 1 came late and stayed."""
    _second_version(story)
    story.calls[KEY] = replace(story.calls[KEY], version=1, children=children(1), rows_version=frozenset({1}))
    story.writes.append(Write(101.5, KEY, (2, 1), (1, 1)))
    assert {"I4", "I5", "I2"} <= story.broken()


def test_an_older_revision_than_was_published_is_stale(story: Story) -> None:
    """After a change of the rules the next revision of the version: stored, then the row follows, else it is lost."""
    story.published(103.0, revision=2)
    story.committed(104.0)
    assert {"I2", "I4"} <= story.broken()
    story.versions[0] = replace(story.versions[0], revision=2)
    assert story.broken() == {"I4"}
    story.calls[KEY] = replace(story.calls[KEY], revision=2)
    assert story.broken() == set()


@pytest.mark.parametrize(
    ("before", "after"),
    [((2, 1), (1, 9)), ((2, 2), (2, 1)), ((2, 1), (2, 1)), (None, (1, 1)), ((1, 1), (0, 0))],
    ids=["lower version", "lower revision", "written again", "hidden by a deletion", "deleted"],
)
def test_a_current_row_only_rises(story: Story, before: Any, after: Any) -> None:
    """M4, M5: whatever the row says now, the trigger saw that it went back; the newest row heals nothing."""
    _second_version(story)
    story.writes += [Write(101.5, KEY, before, after), Write(101.6, KEY, after, (3, 1))]
    assert "I5" in story.broken()


@pytest.mark.parametrize("topic", [RECORDS, CALLS])
def test_an_older_version_behind_a_newer_one_on_a_topic(story: Story, topic: str) -> None:
    """Without a rebalance nothing excuses it; one excuses one, and only of a call that was in hand at it."""
    _second_version(story)
    late = next(record for record in story.records if record.topic == topic)
    story.records.append(replace(late, at=101.5, offset=9, headers={**late.headers, "ringback_replay": b"true"}))
    assert "I5" in story.broken()
    story.generations.append(Generation(101.0, ENRICHER, 2, 1))
    assert "I5" in story.broken()
    story.generations[0] = Generation(101.05, ENRICHER, 2, 1)
    assert "I5" not in story.broken()
    story.records.append(replace(late, at=101.6, offset=10, headers={**late.headers, "ringback_replay": b"true"}))
    assert "I5" in story.broken()


def test_an_event_under_another_key(story: Story, replaced: Any) -> None:
    """M12: keyed by the first party: nothing orders the versions of a call any more."""
    replaced(story.records, -1, {"raw_key": b"tenant|party", "key": ("tenant", "party")})
    assert "I5" in story.broken()


def test_an_event_in_another_partition(story: Story, replaced: Any) -> None:
    """The right key, hashed otherwise: consumers that rely on co-partitioning break in silence."""
    replaced(story.records, -1, {"partition": story.records[-1].partition + 1})
    assert "I5" in story.broken()


def test_a_stored_call_that_lacks_sessions(story: Story) -> None:
    """M5, M7: the first page is stored as if it were all."""
    story.calls[KEY] = replace(story.calls[KEY], children=Children(0, 2, "s0", "p1"))
    assert story.broken() == {"I13"}


def test_a_published_record_that_lacks_sessions(story: Story, replaced: Any) -> None:
    """The store may have been healed by a newer one: the topic tells what others got."""
    place = next(n for n, record in enumerate(story.records) if record.topic == RECORDS)
    replaced(story.records, place, {"children": Children(0, 2, "s0", "p1")})
    assert "I13" in story.broken()


def test_a_record_of_two_versions(story: Story, replaced: Any) -> None:
    """M15: the version rose between two pages and both halves stand in one record."""
    place = next(n for n, record in enumerate(story.records) if record.topic == RECORDS)
    replaced(story.records, place, {"marks": frozenset({1, 2})})
    assert story.broken() == {"I13"}


def test_rows_of_two_versions(story: Story) -> None:
    """Children that were not replaced with their call."""
    story.calls[KEY] = replace(story.calls[KEY], rows_version=frozenset({1, 2}))
    assert story.broken() == {"I13"}


def test_a_marker_before_its_sessions(story: Story, replaced: Any) -> None:
    """Whoever waits for `completed` must have all of them."""
    places = [n for n, record in enumerate(story.records) if record.topic == SESSIONS]
    replaced(story.records, places[0], {"offset": 1})
    replaced(story.records, places[1], {"offset": 0})
    assert story.broken() == {"I13"}


def test_the_newest_version_has_its_marker_and_its_open_call(story: Story) -> None:
    """A publication that broke off after the record: consumers of the open topics would wait for ever."""
    story.records = [record for record in story.records if record.topic == RECORDS or "fetch" in record.topic]
    assert "I13" in story.broken()


@pytest.mark.parametrize(
    ("reason", "at", "broken"),
    [("too_large", 100.3, set[str]()), ("upstream_error", 100.3, {"I13"}), ("too_large", 99.9, {"I13"})],
)
def test_a_publication_that_broke_off_at_a_refusal_is_told_by_its_dead_letter(
    story: Story, reason: str, at: float, broken: set[str]
) -> None:
    """The record was acked, the open call refused for its size; a letter of an earlier version says nothing."""
    story.records = [record for record in story.records if record.topic != CALLS]
    request = next(record for record in story.records if record.topic == FETCH)
    story.refused(at, request, reason)
    assert story.broken(dead_letters={reason: 1}) == broken


@pytest.mark.parametrize(
    ("is_group", "changed", "broken"),
    [
        (True, {"participants": 0}, {"I13"}),
        (False, {"participants": 0}, set[str]()),
        (False, {"participants": 1}, {"I13"}),
        (False, {"participants": 0, "sessions": 0}, {"I13"}),
        (False, {"participants": 0, "sessions_hash": "mixed"}, {"I13"}),
    ],
)
def test_a_call_of_two_may_be_without_its_participants(
    story: Story, changed: dict[str, Any], broken: set[str], *, is_group: bool
) -> None:
    """On the topic and in the store: none of them or all, and of a group call all; but never without its session."""
    held = replace(children(1), participants_hash="other", **changed)
    story.expected[KEY] = replace(story.expected[KEY], is_group=is_group)
    story.records = [replace(one, children=held) if one.children else one for one in story.records]
    story.calls[KEY] = replace(story.calls[KEY], children=held)
    assert story.broken() == broken


def test_a_call_that_graph_never_served_can_not_be_whole(story: Story) -> None:
    """A version that nobody served cannot be compared, and that is an anomaly, not a pass."""
    story.expected[KEY] = Expected({}, frozenset({1}), {})
    assert "I13" in story.broken()


def test_what_the_harness_wrote_again_is_neither_repeat_nor_inversion(story: Story) -> None:
    """A late copy of version 1 behind version 2: the topic is the harness's doing, the store is not."""
    _second_version(story)
    copy = next(record for record in story.records if record.topic == RECORDS)
    story.records.append(replace(copy, at=102.0, offset=2))
    story.planted[copy.topic, copy.partition, 2] = ""
    story.committed(102.5)
    assert story.broken() == set()
