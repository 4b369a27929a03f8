"""I6 to I11: poison, bounds, politeness, recovery, latency, secrecy; and the evidence that anything happened."""

from dataclasses import replace
from typing import Any

import pytest
from ringback_events.topics import FETCH_ASIDE
from ringback_faults.ledgers import Act, Commit, Generation, Item, Post, Sample, TopicRecord
from ringback_faults.oracle import check, fault_over
from ringback_faults.oracle.index import ENRICHER
from ringback_faults.oracle.poison import HEADERS
from ringback_faults.row import Expect

from .conftest import DLQ, FETCH, KEY, TENANT, Story

MIB = 1024 * 1024


def _poisoned(story: Story, reason: str = "undecodable", **changed: Any) -> None:
    """Poison on a lane, refused as planned, committed after that."""
    record = story.put(FETCH, 101.0, b"\xff", {"ce_source": b"x", "ce_id": b"poison"})
    story.planted[record.topic, record.partition, record.offset] = "undecodable"
    story.refused(101.2, record, reason, **changed)
    story.committed(101.4)


def test_planted_poison_ends_where_it_was_planned(story: Story) -> None:
    """The one dead letter of its reason, and nothing else."""
    _poisoned(story)
    assert story.broken() == set()


def _poisoned_aside(story: Story) -> TopicRecord:
    """Poison on a lane that exceeded its tenant's share; returns the copy on the lane for such requests."""
    record = story.put(FETCH, 101.0, b"\xff", {"ce_source": b"x", "ce_id": b"poison"})
    story.planted[record.topic, record.partition, record.offset] = "undecodable"
    return story.put(FETCH_ASIDE.name, 101.1, b"\xff", record.headers)


def test_planted_poison_that_was_put_aside_ends_as_its_copy(story: Story) -> None:
    """It was moved unread and byte for byte; the dead letter names the place of the copy."""
    story.refused(101.2, _poisoned_aside(story), "undecodable")
    assert story.verdict().anomalies["I6"] == 0


def test_planted_poison_that_was_put_aside_and_vanished_or_is_refused_for_another_reason(story: Story) -> None:
    """As if it had stayed; and a healthy record on that lane is none of the planted."""
    copy = _poisoned_aside(story)
    assert story.verdict().anomalies["I6"] == 1
    story.refused(101.2, copy, "schema_invalid")
    assert story.verdict().anomalies["I6"] == 2
    story.refused(101.3, story.put(FETCH_ASIDE.name, 101.1, b"{}", copy.headers), "undecodable")
    assert story.verdict().anomalies["I6"] == 3


def test_poison_that_vanished(story: Story) -> None:
    """Committed, and in no bucket."""
    _poisoned(story)
    story.records.pop()
    assert {"I6", "I2", "I12"} <= story.broken()


def test_poison_in_the_wrong_bucket(story: Story) -> None:
    """Two anomalies: one that was planned is missing, one is there that was not."""
    _poisoned(story, "schema_invalid")
    assert story.verdict().anomalies["I6"] == 2


@pytest.mark.parametrize(
    "changed", [{"digest": b"other"}, {"raw_key": b"other"}, {"digest": None}], ids=["bytes", "key", "tombstone"]
)
def test_a_dead_letter_is_its_record_byte_for_byte(story: Story, changed: dict[str, Any]) -> None:
    """Another value or key than the record it says it is of."""
    _poisoned(story, **changed)
    assert story.broken() == {"I6"}


@pytest.mark.parametrize("name", HEADERS)
def test_a_dead_letter_tells_everything(story: Story, name: str) -> None:
    """Each of Ringback's headers is needed by somebody: by the origin it is found, released, grouped."""
    _poisoned(story)
    letter = story.records.pop()
    story.records.append(replace(letter, headers={n: v for n, v in letter.headers.items() if n != name}))
    assert "I6" in story.broken()


def test_a_dead_letter_keeps_the_headers_of_its_record(story: Story) -> None:
    """The ids of the event are what a release needs."""
    _poisoned(story)
    letter = story.records.pop()
    story.records.append(replace(letter, headers={**letter.headers, "ce_id": b"another"}))
    assert story.broken() == {"I6"}


def test_a_healthy_record_among_the_dead_letters(story: Story) -> None:
    """M17: a call that Graph does not know yet is given up at once; its item is accounted for, and it is wrong."""
    story.refused(100.25, story.records[0], "not_found")
    assert story.broken() == {"I6"}
    assert story.broken(dead_letters={"not_found": 1}) == set()
    assert story.broken(dead_letters={"not_found": 2}) == {"I6"}
    assert story.broken(dead_letters={"not_found": (0, 3)}) == set()


def test_a_dead_letter_twice(story: Story) -> None:
    """Without a kill a record is refused once."""
    _poisoned(story)
    story.records.append(replace(story.records[-1], offset=1))
    assert story.broken() == {"I6"}
    story.acts.append(Act(101.1, 101.3, "kill", "enricher"))
    assert story.broken() == set()


def test_memory_files_and_keys_are_bounded(story: Story) -> None:
    """M13: what is in hand rises above its cap while Graph is away; memory and files have caps of their own."""
    keys = 'ringback_stream_tenant_keys{group="ringback-enricher"}'
    good = Sample(101.0, "enricher", 7, 200 * MIB, 60, {keys: 152.0})
    story.samples.append(good)
    assert story.broken() == set()
    for worse in (
        replace(good, rss=301 * MIB),
        replace(good, files=2000),
        replace(good, gauges={keys: 153.0}),
    ):
        story.samples[:] = [good, worse, good]
        assert story.verdict().anomalies["I7"] == 1


def test_requests_that_graph_complained_of(story: Story) -> None:
    """M10, M11: inside a Retry-After, or above a limit, by the simulator's word."""
    story.read(100.5, inside_retry_after=True)
    assert story.broken() == {"I8"}
    story.requests[-1] = replace(story.requests[-1], inside_retry_after=False, over_budget="appTenant")
    assert story.broken() == {"I8"}


@pytest.mark.parametrize(("most", "call"), [(1500, None), (40, KEY[1])], ids=["tenant", "record"])
def test_windows_are_counted_once_more(story: Story, most: int, call: str | None) -> None:
    """M11: one more than allowed within 20 s, whatever the simulator says of it; as many as allowed are fine."""
    story.requests.clear()
    for number in range(most):
        story.read(101.0 + 19.9 * number / most, call_id=call or f"c{number}", tenant_id=TENANT)
    assert "I8" not in story.broken()
    story.read(120.95, call_id=call or "c", tenant_id=TENANT)
    assert "I8" in story.broken()


def _recovered_in(story: Story, seconds: float) -> bool:
    """It is the figure told, and an anomaly just where three times the goal is below it."""
    tight, wide = story.verdict(recovery_seconds=seconds / 3 - 0.1), story.verdict(recovery_seconds=seconds / 3 + 0.1)
    reported = tight.figures["recovery_seconds"] == pytest.approx(seconds, abs=0.1)
    return reported and (tight.anomalies["I9"], wide.anomalies["I9"]) == (1, 0)


def test_recovery_lasts_until_nothing_old_waits(story: Story) -> None:
    """A request from before the fault's end that had its effect 20 s after it."""
    story.notified(100.5)
    story.asked(99.5, value=b"waits")
    story.requests[0] = replace(story.requests[0], at=99.0)
    story.read(124.0)
    assert _recovered_in(story, 19.03)


def test_recovery_counts_what_comes_after_a_death_and_finds_nobody(story: Story) -> None:
    """A kill at 105, a request a second later that waits for the next process until 125."""
    story.acts.append(Act(105.0, 126.0, "kill", "enricher"))
    story.notified(106.0)
    story.asked(106.01, value=b"after")
    story.read(125.0)
    assert _recovered_in(story, 20.03)


def test_recovery_is_the_longest_of_all_deaths(story: Story) -> None:
    """One at 100.5 that held a request up until 120, and one at 130 that nobody noticed: the last is not all."""
    story.acts += [Act(100.5, 119.0, "kill", "enricher"), Act(130.0, 131.0, "kill", "enricher")]
    story.notified(101.0)
    story.asked(101.01, value=b"waits")
    story.read(120.0)
    seen = check(replace(story.ledgers(), faulted=130.0), Expect(evidence={"posts": 1}), ())
    assert seen.figures["recovery_seconds"] == pytest.approx(19.53, abs=0.1)
    story.acts.insert(1, Act(110.0, 112.0, "bounce", "database"))
    seen = check(replace(story.ledgers(), faulted=130.0), Expect(evidence={"posts": 1}), ())
    assert seen.figures["recovery_seconds"] == 0.0  # what came after the bounce is not the death's alone


def test_a_webhook_has_recovered_with_its_first_answer(story: Story) -> None:
    """Killed at 105; refused and cut off until 120."""
    story.acts.append(Act(105.0, 107.0, "kill", "webhook"))
    for at, status in ((106.0, None), (108.0, 503), (119.9, 202)):
        story.notified(at, status=status)
        if status == 202:
            story.asked(at + 0.01, value=b"at last")
            story.read(at + 0.1)
    assert story.verdict().figures["recovery_seconds"] == pytest.approx(14.92, abs=0.01)


def test_a_webhook_that_dies_again_before_it_answers_has_its_recovery_counted_from_there(story: Story) -> None:
    """Killed at 105 and at 113, answers at 120: eight seconds are known of the first death, seven of the second."""
    story.acts += [Act(105.0, 107.0, "kill", "webhook"), Act(113.0, 114.0, "point", "webhook")]
    for at, status in ((106.0, None), (108.0, 503), (119.9, 202)):
        story.notified(at, status=status)
    story.asked(119.91, value=b"at last")
    story.read(120.0)
    assert story.verdict().figures["recovery_seconds"] == pytest.approx(8.0, abs=0.01)


def test_of_two_webhooks_each_has_recovered_with_its_own_answer(story: Story) -> None:
    """The second one was killed, and refuses until 120; that the first goes on answering is no recovery of it."""
    story.acts.append(Act(105.0, 107.0, "kill", "webhook-2"))
    for at, status, process in ((106.0, 202, "webhook"), (108.0, 503, "webhook-2"), (119.9, 202, "webhook-2")):
        story.notified(at, status=status)
        story.posts[-1] = replace(story.posts[-1], process=process)
        story.asked(at + 0.01, value=str(at).encode())
    assert story.verdict().figures["recovery_seconds"] == pytest.approx(14.92, abs=0.01)
    story.posts[-1] = replace(story.posts[-1], status=503)
    story.drained = 200.0
    assert "I9" in story.broken(), "it never answered again"
    story.posts[-1] = replace(story.posts[-1], process="webhook")
    story.posts[-2] = replace(story.posts[-2], process="webhook")
    assert "I9" not in story.broken(), "nobody asked it"


def test_a_load_is_no_fault() -> None:
    """Recovery does not begin with the end of what was sent beside."""
    assert fault_over([Act(100.0, 120.0, "flood", "webhook"), Act(101.0, 110.0, "kill", "webhook")], 80.0) == 101.0


def test_what_waits_for_its_time_is_not_late(story: Story) -> None:
    """A retry that is due in 20 s is no backlog until then."""
    story.asked(101.0, topic="callrecords.internal.fetch-retry-2m.v1", ringback_due=b"121000")
    story.read(121.5)
    assert story.verdict(recovery_seconds=1.0).anomalies["I9"] == 0


def test_a_process_that_ended_by_itself(story: Story) -> None:
    """The kill is excused once; a crash, and a death by the kernel's hand, are not."""
    story.acts += [Act(100.0, 101.0, "kill", "store"), Act(100.0, 100.0, "ended", "store", {"exit_code": -9.0})]
    assert story.broken() == set()
    story.acts.append(Act(102.0, 102.0, "ended", "store", {"exit_code": -9.0}))
    assert story.broken() == {"I9"}
    story.acts[-1] = Act(102.0, 102.0, "ended", "enricher", {"exit_code": 1.0})
    assert story.broken() == {"I9"}
    assert story.broken(exit_codes=(1,)) == set()


def test_a_process_told_to_stop_ends_with_0(story: Story) -> None:
    """Not by a kill after its time, nor by a crash on the way; one that joined has nobody else to tell of it."""
    story.acts += [Act(100.0, 101.0, "terminate", "store"), Act(100.5, 100.5, "ended", "store", {"exit_code": 0.0})]
    assert story.broken() == set()
    story.acts[-1] = Act(100.5, 100.5, "ended", "store", {"exit_code": -9.0})
    assert story.broken() == {"I9"}
    story.acts = [Act(100.0, 101.0, "terminate", "store", {"exit_code": 1.0, "member": 1.0})]
    assert story.broken() == {"I9"}


def test_the_death_of_another_member_excuses_nobody(story: Story) -> None:
    """An instance that joined is none of the supervisor's."""
    story.acts += [
        Act(100.0, 101.0, "kill", "store", {"member": 1.0}),
        Act(100.0, 100.0, "ended", "store", {"exit_code": -9.0}),
    ]
    assert story.broken() == {"I9"}


def test_a_death_is_over_at_once_and_a_bounce_when_all_is_back() -> None:
    """Recovery from a kill begins with the kill, not when the next process is ready."""
    assert fault_over([Act(100.0, 120.0, "kill", "store"), Act(90.0, 95.0, "bounce", "broker")], 80.0) == 100.0
    assert fault_over([Act(100.0, 110.0, "bounce", "broker")], 80.0) == 110.0
    assert fault_over([], 80.0) == 80.0


def test_slow_answers(story: Story) -> None:
    """p99 past three times its goal, and POSTs that were refused where none may be."""
    assert story.broken(ack_p99_ms=10) == set()
    assert story.broken(ack_p99_ms=6) == {"I10"}
    story.notified(100.5, status=503)
    assert story.broken() == set()
    assert story.broken(unavailable=False) == {"I10"}


def test_answers_that_graph_no_longer_waits_for(story: Story) -> None:
    """Whatever they say, and in every row."""
    story.posts[-1] = replace(story.posts[-1], end=story.posts[-1].at + 10.1)
    assert "I10" in story.broken()
    assert "I10" in story.broken(share_over_10s=1.0)
    allowed = {"share_over_10s": 1.0, "late_answers": True}
    assert "I10" in story.broken(**allowed)
    story.acts.append(Act(100.2, 108.0, "freeze", "webhook"))
    assert "I10" not in story.broken(**allowed)
    for elsewhere in (Act(115.0, 118.0, "freeze", "webhook"), Act(100.2, 108.0, "freeze", "webhook-2")):
        story.acts[0] = elsewhere
        assert "I10" in story.broken(**allowed)


def test_an_answer_that_takes_longer_than_three_seconds_is_late_whatever_it_says(story: Story) -> None:
    """A 503 to a repeat, which Graph waits 10 s for; what got no answer is judged by its items."""
    story.notified(100.5, status=503, took=3.1)
    assert story.broken() == {"I10"}
    story.posts[-1] = replace(story.posts[-1], status=None)
    assert story.broken() == set()


def test_a_bound_on_no_figure_bounds_nothing_and_is_told(story: Story) -> None:
    """A misspelt name must not pass for a bound that holds."""
    assert story.verdict(at_most={"posts": 9}).clean
    assert story.verdict(at_most={"postz": 9}).excess == ("No figure is called postz, which the row bounds.",)


def test_a_class_that_had_nothing_to_judge_is_no_evidence(story: Story) -> None:
    """Memory without the span, a search for nobody, and every other class over ledgers that are empty."""
    span = {'ringback_stream_tenant_keys{group="ringback-enricher"}': 3.0}
    story.samples.append(Sample(101.0, "enricher", 7, 200 * MIB, 60))
    assert story.verdict(("I7",)).missing == ("Nothing was there to be judged by I7.",)
    story.samples.append(Sample(101.0, "enricher", 7, 200 * MIB, 60, span))
    assert story.verdict(("I7",)).missing == ()
    assert story.verdict(("I11",)).missing == ("Nothing was there to be judged by I11.",)
    expect = Expect(evidence={"posts": 0})
    assert check(replace(story.ledgers(), searched=1), expect, ("I11",)).missing == ()
    judged = ("I1", "I2", "I3", "I4", "I5", "I8", "I10", "I12", "I13", "I14")
    assert story.verdict(judged).missing == ()
    assert len(check(Story().ledgers(), expect, judged).missing) == len(judged)


def test_leaks_are_told(story: Story) -> None:
    """M14, M19: what the search found is an anomaly each."""
    story.leaks = ("displayName 3 stands in callrecords.open.calls.v1 (plain)",)
    assert story.broken() == {"I11"}


def test_a_kill_counts_only_if_it_held_work(story: Story) -> None:
    """The work is read off the topics and the commits, not off what the action says of itself."""
    story.acts = [Act(100.15, 101.0, "kill", "enricher", {"held": 9})]
    assert story.verdict().evidence["kills_holding_work"] == 1
    story.acts = [Act(100.4, 101.0, "kill", "enricher", {"held": 9})]
    assert story.verdict().evidence["kills_holding_work"] == 0
    story.acts = [Act(100.25, 101.0, "kill", "store")]
    assert story.verdict().evidence["kills_holding_work"] == 1


def test_a_killed_webhook_held_a_post_that_was_cut_off(story: Story) -> None:
    """The sender's ledger is the proof: begun before, ended after, without an answer."""
    story.acts = [Act(100.41, 101.0, "kill", "webhook")]
    story.notified(100.4, status=None)
    assert story.verdict().evidence["kills_holding_work"] == 1
    for spared in ({"status": 202}, {"process": "webhook-2"}):
        story.posts[-1] = replace(story.posts[-1], **{"status": None, "process": "webhook", **spared})
        assert story.verdict().evidence["kills_holding_work"] == 0


def test_evidence_of_every_ledger(story: Story) -> None:
    """Counts of acts with their figures, of the sender, of Graph, of Kafka."""
    story.acts = [Act(100.0, 100.1, "graph fault", "records", {"fault": "f1", "count": 2})]
    story.notified(100.5)
    story.read(100.6, status=429, version=None, fault="f1")
    story.generations += [Generation(101.0, ENRICHER, 2, 1), Generation(101.1, ENRICHER, 2, 1)]
    story.commits.append(Commit(101.0, ENRICHER, DLQ, 0, 1))
    story.posts.append(Post(101.0, 101.1, 2, None, (Item("x", KEY, 1),)))
    seen = story.verdict().evidence
    wanted = {
        "graph_fault": 1, "graph_fault_count": 2, "throttled": 1, "struck": 1, "rebalances": 1, "duplicates": 1,
        "unknown_posts": 1, "repeated_posts": 1, "posts": 3, "versions_stored": 1,
    }  # fmt: skip
    assert {name: seen[name] for name in wanted} == wanted


def test_growth_is_of_one_life_and_its_slope_of_the_warm_half(story: Story) -> None:
    """A restart is no growth; the climb of the first half is warming up; 1 MiB in 60 s of 100 MiB is 10 % in 600 s."""
    mib = 1024 * 1024
    story.samples.append(Sample(0.0, "store", 1, 300 * mib, 9))
    for second in range(120):
        rss = 100 * mib + max(0, second - 60) * mib // 60
        story.samples.append(Sample(100.0 + second, "store", 2, rss - (50 * mib if second < 30 else 0), second // 10))
    seen = story.verdict().evidence
    assert seen["rss_growth_mib_store"] == pytest.approx(50 + 59 / 60)
    assert seen["rss_slope_percent_store"] == pytest.approx(10, rel=0.01)
    assert seen["files_growth_store"] == 3
