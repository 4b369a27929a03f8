"""I1, I2, I12 and I14: what was accepted is durable, reaches its end, and is not committed before it has."""

from dataclasses import replace

import pytest
from ringback_events import topics
from ringback_faults.ledgers import Commit
from ringback_faults.oracle.index import ENRICHER, SINK

from .conftest import FETCH, KEY, RECORDS, RETRY, Story


def test_the_story_that_went_well_is_clean(story: Story) -> None:
    """No anomaly, the evidence is there: otherwise no red test below would mean anything."""
    verdict = story.verdict(("I1", "I2", "I3", "I4", "I5", "I12", "I13", "I14"))
    assert verdict.clean, verdict
    assert verdict.figures["recovery_seconds"] == 0


def test_an_answer_before_the_record_is_no_durable_answer(story: Story) -> None:
    """M1: 202 goes out 10 ms before the append; the record comes, and it was still a hope."""
    story.records[0] = replace(story.records[0], at=100.03)
    assert "I1" in story.broken()


def test_an_accepted_item_without_a_record_is_lost(story: Story) -> None:
    """M1 under a dead broker: a second notification answered 2xx that is nowhere, though its call is stored."""
    story.notified(100.4)
    story.read(100.5)
    assert story.broken() == {"I1"}


def test_one_record_does_not_stand_for_two_items(story: Story) -> None:
    """Two POSTs under way at the same moment, one record."""
    story.notified(100.005)
    assert "I1" in story.broken()


def test_an_unanswered_post_may_have_been_written_or_not(story: Story) -> None:
    """A POST cut off, one answered 503, and only one of them in Kafka, a second later: nothing is wrong."""
    story.notified(100.4, status=None)
    story.notified(100.5, status=503)
    story.asked(101.6, value=b"late")
    story.read(101.7)
    story.committed(102.0)
    assert story.broken() == set()


def test_a_request_that_nobody_ordered_is_surplus(story: Story) -> None:
    """A second record of the webhook's for one POST."""
    story.asked(100.012, value=b"twice")
    story.committed(100.4)
    assert "I3" in story.broken()


def test_a_forged_item_must_not_become_a_request(story: Story) -> None:
    """An item whose clientState is wrong is answered 202 and leads to nothing; if it does, that is surplus."""
    story.notified(100.4, planted="forgedClientState")
    assert story.broken() == set()
    story.asked(100.41, value=b"forged")
    story.read(100.5)
    story.committed(101.0)
    assert story.broken() == {"I3"}


def test_an_accepted_version_that_is_not_stored_is_lost(story: Story) -> None:
    """M3: the failure of a step counts as success: committed, no publication, nothing stored."""
    story.notified(101.0, version=2)
    story.asked(101.01, value=b"2")
    story.committed(101.3)
    assert {"I2", "I12", "I14"} <= story.broken()


def test_what_is_not_committed_is_in_flight_and_not_lost(story: Story) -> None:
    """The same without the commit: not lost, but never drained."""
    story.notified(101.0, version=2)
    story.asked(101.01, value=b"2")
    story.drained = None
    assert story.broken() == {"I9"}


def test_a_commit_above_unfinished_work_is_seen_without_any_loss(story: Story) -> None:
    """M2, M9: committed 40 ms after it came, published 60 ms later; no kill, nothing lost, and it shows."""
    story.commits = [replace(commit, at=100.05) for commit in story.commits if commit.group == ENRICHER] + [
        commit for commit in story.commits if commit.group == SINK
    ]
    story.read(100.06)
    story.records = [
        record if record.topic == FETCH else replace(record, at=record.at + 0.06) for record in story.records
    ]
    assert story.broken() == {"I12"}


def test_the_store_commits_after_the_database(story: Story) -> None:
    """M16: offsets of restricted.records are committed before the row stands."""
    story.versions = [replace(row, first_stored_at=100.6) for row in story.versions]
    assert story.broken() == {"I12"}


def test_a_lower_commit_later_excuses_nothing(story: Story) -> None:
    """Whoever commits too high and then lower again was too high all the same."""
    story.notified(101.0, version=2)
    record = story.asked(101.01, value=b"2")
    story.commits.append(Commit(101.02, ENRICHER, FETCH, record.partition, record.offset + 1))
    story.commits.append(Commit(101.03, ENRICHER, FETCH, record.partition, record.offset))
    story.read(101.2, version=2)
    story.published(101.3, version=2)
    story.stored(101.4, version=2)
    story.committed(101.9)
    assert story.broken() == {"I12"}


@pytest.mark.parametrize("missing", [topics.SESSIONS.name, topics.CALLS.name, RECORDS])
def test_half_a_publication_satisfies_nobody(story: Story, missing: str) -> None:
    """A request committed although one of the three topics never got its part."""
    story.records = [record for record in story.records if record.topic != missing]
    assert "I12" in story.broken()


def test_a_fetch_that_began_before_the_notification_is_no_answer_to_it(story: Story) -> None:
    """M6: the notification of version 2 joins a read that had begun, and version 2 was not what that read saw."""
    story.notified(100.06, version=2)
    story.asked(100.07, value=b"2")
    story.committed(100.3)
    assert {"I2", "I12", "I14"} <= story.broken()


def test_joining_a_read_that_has_begun_shows_even_if_nothing_changed(story: Story) -> None:
    """M6 without luck: the same version, so nothing is lost; Graph was not asked again."""
    story.notified(100.06)
    story.asked(100.07, value=b"again")
    story.committed(100.3)
    assert {"I14", "I12"} <= story.broken()


@pytest.mark.parametrize(("version", "broken"), [(1, set[str]()), (2, {"I2", "I12"})])
def test_a_version_asked_for_alone_satisfies_if_it_is_published(story: Story, version: int, broken: set[str]) -> None:
    """A duplicate comes, Graph still has the published version: nothing is left to do. It has a newer one: there is."""
    story.asked(100.4, value=b"later")
    story.read(100.5, version, route="versionCheck")
    story.committed(102.0)
    assert story.broken() & {"I2", "I12"} == broken


def test_a_deferral_is_an_effect_and_must_have_one_itself(story: Story) -> None:
    """404 first: the request goes to a tier; the copy there is committed without anything: lost after all."""
    story.notified(101.0, version=2)
    story.asked(101.01, value=b"2")
    story.asked(101.2, topic=RETRY, value=b"2", ringback_attempt=b"1", ringback_due=b"103000")
    story.commits.append(Commit(101.3, ENRICHER, FETCH, story.records[0].partition, 2))
    story.committed(101.9)
    verdict = story.verdict()
    assert verdict.anomalies["I12"] == 1
    assert f"{RETRY}/" in " ".join(verdict.findings)


def test_a_deferral_that_is_found_later_is_whole(story: Story) -> None:
    """404 first, version 2 at the second look."""
    story.notified(101.0, version=2)
    story.asked(101.01, value=b"2")
    story.asked(101.2, topic=RETRY, value=b"2", ringback_attempt=b"1", ringback_due=b"103000")
    story.read(103.1, version=2)
    story.published(103.2, version=2)
    story.stored(103.3, version=2)
    story.committed(103.5)
    assert story.broken() == set()


def _slow(story: Story, **published: float) -> None:
    """Version 2 is read for long: a copy that names the read waits on a tier, is put off once more and committed."""
    story.notified(101.0, version=2)
    story.asked(101.01, value=b"2")
    for at, attempt in ((106.0, b"1"), (106.2, b"2")):
        reported = {"ringback_attempt": attempt, "ringback_reason": b"slow", "ringback_read": b"r.1.0"}
        story.asked(at, topic=topics.FETCH_RETRY_10S.name, value=b"2", **reported)
    if published:
        story.read(published["read"], version=2, took=0.01)
        story.published(published["at"], version=2)
        story.stored(published["at"] + 0.1, version=2)
    story.committed(107.0)


@pytest.mark.parametrize("at", [106.1, 106.5], ids=["before_the_last_copy", "after_it"])
def test_a_read_that_goes_on_answers_its_copies(story: Story, at: float) -> None:
    """It began before its copies were written: when it has published, nothing is left to do for them."""
    _slow(story, read=101.1, at=at)
    assert story.broken() == set()


def test_a_copy_without_the_name_of_its_read_asks_anew(story: Story) -> None:
    """The same story: only the header makes a copy of a request."""
    _slow(story, read=101.1, at=106.5)
    story.records = [
        replace(record, headers={name: value for name, value in record.headers.items() if name != "ringback_read"})
        for record in story.records
    ]
    assert story.broken() == {"I2", "I12"}


def test_a_copy_of_which_nothing_came_is_lost(story: Story) -> None:
    """The read went down with its process, and the last copy was committed as if it had been answered."""
    _slow(story)
    assert {"I2", "I12"} <= story.broken()
    assert f"{topics.FETCH_RETRY_10S.name}/" in " ".join(story.verdict().findings)


@pytest.mark.parametrize(("read", "published"), [(101.005, 106.5), (101.1, 107.5)], ids=["too_early", "too_late"])
def test_a_copy_is_not_answered_by_any_read(story: Story, read: float, published: float) -> None:
    """A read that began before the original came saw too little; one that publishes after the commit is late."""
    _slow(story, read=read, at=published)
    assert "I12" in story.broken()


def test_a_copy_of_a_released_dead_letter_is_not_answered_by_what_came_before(story: Story) -> None:
    """It has the bytes of a request that was answered, and asks anew."""
    reported = {"ringback_run": b"release-1", "ringback_read": b"r.1.0"}
    story.asked(101.0, ringback_run=b"release-1")
    story.asked(101.2, topic=topics.FETCH_RETRY_10S.name, ringback_attempt=b"1", **reported)
    story.committed(101.9)
    assert {"I2", "I12"} <= story.broken()


def test_a_dead_letter_accounts_for_its_item(story: Story) -> None:
    """A call that Graph never had: planted, refused, committed after that."""
    story.notified(101.0, version=2)
    request = story.asked(101.01, value=b"2")
    story.refused(101.2, request, "not_found")
    story.committed(101.4)
    assert story.broken(dead_letters={"not_found": 1}) == set()


def test_a_dead_letter_that_is_not_awaited_shows(story: Story) -> None:
    """M8: the commit passes the poison while its dead letter is not written yet."""
    story.notified(101.0, version=2)
    request = story.asked(101.01, value=b"2")
    story.committed(101.1)
    story.refused(103.0, request, "not_found")
    assert story.broken(dead_letters={"not_found": 1}) == {"I12"}


def test_stale_graph_is_no_loss_of_what_is_in_the_dead_letters(story: Story) -> None:
    """The evidence of a row is looked at, too: without it the row is not clean, whatever the invariants say."""
    verdict = story.verdict(evidence={"throttled": 1})
    assert not any(verdict.anomalies.values())
    assert verdict.missing == ("No evidence: throttled is 0, the row demands 1.",)
    assert not verdict.clean


def test_nothing_to_judge_is_no_clean_row() -> None:
    """An empty run breaks no invariant; a row that is there for one of them must not pass by it."""
    verdict = Story().verdict(("I1", "I13"), evidence={"posts": 0})
    assert len(verdict.missing) == 2
    assert not verdict.clean


def test_a_figure_above_what_the_row_allows_fails_it(story: Story) -> None:
    """One fetch, none allowed."""
    assert story.verdict(at_most={"requests": 1}).clean
    assert not story.verdict(at_most={"requests": 0}).clean
    assert KEY in story.expected
