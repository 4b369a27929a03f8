"""Exemptions are of an item, a record, a request; never of everything that has the same call."""

from dataclasses import replace

import pytest
from ringback_faults.ledgers import Act

from .conftest import FETCH, KEY, RECORDS, RETRY, Story


def _lost(story: Story) -> None:
    """A second version: accepted, requested, committed, and nothing came of it."""
    story.notified(103.0, version=2)
    story.asked(103.01, value=b"2")
    story.committed(103.3)


def test_another_item_s_dead_letter_accounts_for_no_item(story: Story) -> None:
    """One notification of the call was refused; another one, of a version that was never stored, was not."""
    story.notified(101.0)
    refused = story.asked(101.01, value=b"refused")
    story.refused(101.2, refused, "not_found")
    _lost(story)
    assert {"I2", "I14"} <= story.broken(dead_letters={"not_found": 1})


def test_the_item_s_own_dead_letter_does_wherever_its_request_had_got_to(story: Story) -> None:
    """Put off, then refused on the tier: the bytes are those that the webhook wrote."""
    story.notified(103.0, version=2)
    story.asked(103.01, value=b"2")
    put_off = story.asked(103.2, topic=RETRY, value=b"2", ringback_attempt=b"1", ringback_due=b"103500")
    story.refused(103.6, put_off, "not_found")
    story.committed(103.9)
    assert story.broken(dead_letters={"not_found": 1}) == set()


@pytest.mark.parametrize(("version", "broken"), [(2, set[str]()), (1, {"I2"})])
def test_a_record_that_the_store_refused_accounts_for_its_version(story: Story, version: int, broken: set[str]) -> None:
    """And for older ones, but for no newer one."""
    story.notified(103.0, version=2)
    story.asked(103.01, value=b"2")
    story.read(103.05, version=2)
    story.published(103.1, version=2)
    record = next(one for one in story.records if one.topic == RECORDS and one.version == 2)
    story.refused(103.2, record, "store_refused", version=version)
    story.committed(103.5)
    assert story.broken(dead_letters={"store_refused": 1}) - {"I4", "I12"} == broken


def test_a_request_that_waits_is_not_every_request_of_its_call(story: Story) -> None:
    """An unfinished request of the call says nothing of one that was finished with nothing."""
    _lost(story)
    story.notified(104.0)
    story.asked(104.01, value=b"waits")
    story.drained = None
    assert {"I2", "I14"} <= story.broken()


@pytest.mark.parametrize(("at", "broken"), [(102.9, {"I4"}), (103.4, set[str]())])
def test_a_dead_letter_before_a_version_was_served_excuses_no_stale_row(
    story: Story, at: float, broken: set[str]
) -> None:
    """Of a read of it that was refused a version may have been seen in part only; an older letter is no such read."""
    story.notified(102.8)
    story.notified(103.0, version=2)
    request = story.asked(102.81, value=b"refused")
    story.refused(at, request, "hostile_link")
    story.asked(103.01, value=b"2")
    story.read(103.1, version=2)
    seen = story.broken(dead_letters={"hostile_link": 1})
    assert seen & {"I4"} == broken


def test_poison_of_a_call_excuses_no_stored_row_of_it(story: Story) -> None:
    """What the harness planted to be refused is stored all the same."""
    stranger = (KEY[0], "bbbbbbbb-0000-0000-0000-000000000001")
    record = next(one for one in story.records if one.topic == RECORDS)
    story.records.append(replace(record, key=stranger, at=102.0, offset=2))
    story.calls[stranger] = replace(story.calls[KEY], key=stranger)
    story.planted[record.topic, record.partition, 2] = ""
    assert "I3" not in story.broken()
    story.planted[record.topic, record.partition, 2] = "undecodable"
    assert "I3" in story.broken()


@pytest.mark.parametrize(("at", "end", "broken"), [(101.3, 101.4, set[str]()), (102.0, 102.5, {"I6"})])
def test_a_kill_excuses_a_second_letter_only_if_it_came_between(
    story: Story, at: float, end: float, broken: set[str]
) -> None:
    """Written, killed before the commit, written again; a later kill has nothing to do with it."""
    record = story.put(FETCH, 101.0, b"\xff", {"ce_source": b"x", "ce_id": b"poison"})
    story.planted[record.topic, record.partition, record.offset] = "undecodable"
    story.refused(101.2, record, "undecodable")
    story.records.append(replace(story.records[-1], offset=1, at=101.6))
    story.committed(101.8)
    story.acts.append(Act(at, end, "kill", "enricher"))
    assert story.broken() == broken


def test_a_request_in_another_tenant_s_partition(story: Story) -> None:
    """One process owns a tenant because all its requests lie in one partition; what the harness wrote lies anywhere."""
    story.records[0] = replace(story.records[0], partition=(story.records[0].partition + 1) % 12)
    assert "I5" in story.broken()
    stray = story.records[0]
    story.planted[stray.topic, stray.partition, stray.offset] = ""
    assert "I5" not in story.broken()
