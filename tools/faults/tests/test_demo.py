"""What the demo says of its row: figures that add up, where each call is, the latency of each hop."""

import json
from dataclasses import replace
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from ringback_faults.demo.account import explained, figures
from ringback_faults.demo.hops import hops_of
from ringback_faults.demo.report import show
from ringback_faults.ledgers import Act, Expected, Item, Key, Post
from ringback_faults.oracle.index import index_of
from ringback_faults.row import DEMO, read_rows

from .conftest import KEY, TENANT, Story

ROOT = Path(__file__).parents[3]
FIGURES = ["accepted", "stored", "dead_lettered", "dropped", "lost", "duplicated", "stale", "cut"]
NOT_NOTIFIED = (
    "39 have no notification that was answered 2xx, for Graph had no subscription then, or the webhook did not answer: "
    "such calls are not asked for yet (back-fill is not built)."
)


def _figures(story: Story) -> dict[str, int]:
    ledgers = story.ledgers()
    return figures(ledgers, index_of(ledgers), story.verdict())


def _explained(story: Story, ordered: int) -> list[str]:
    ledgers = story.ledgers()
    return explained(ordered, ledgers, index_of(ledgers))


def _forge(story: Story, key: Key = KEY) -> None:
    item = Item(f"i{len(story.posts)}", key, 1, "forgedClientState")
    story.posts.append(Post(100.0, 100.02, 1, 202, (item,)))


def test_a_call_stored_as_graph_has_it_is_clean(story: Story) -> None:
    """Eight figures, in the order that programs have read them in."""
    assert list(_figures(story)) == FIGURES
    assert _figures(story) == dict.fromkeys(FIGURES, 0) | {"accepted": 1, "stored": 1}


def test_a_call_that_is_not_stored_is_lost(story: Story) -> None:
    """As many as its notifications."""
    story.notified(100.005)
    story.calls.clear()
    assert _figures(story) == dict.fromkeys(FIGURES, 0) | {"accepted": 2, "lost": 2}


def test_a_refused_call_is_accounted_for(story: Story) -> None:
    """What is in the dead letters is not lost."""
    story.calls.clear()
    story.refused(100.2, story.records[0], "not_found")
    assert (_figures(story)["dead_lettered"], _figures(story)["lost"]) == (1, 0)


def test_only_forged_notifications_count_as_dropped(story: Story) -> None:
    """And everything that was accepted is in one of the four figures after the first."""
    _forge(story)
    reported = _figures(story)
    assert (reported["accepted"], reported["dropped"], reported["stored"]) == (2, 1, 1)
    assert (
        reported["accepted"] == reported["stored"] + reported["dead_lettered"] + reported["dropped"] + reported["lost"]
    )


@pytest.mark.parametrize(
    ("figure", "changed"),
    [("duplicated", {"surplus": 1}), ("cut", {"rows_version": frozenset({1, 2})}), ("cut", {"children": None})],
)
def test_each_fault_of_a_row_shows_in_its_figure(story: Story, figure: str, changed: dict[str, Any]) -> None:
    """A row too many, rows of two versions, other children than Graph's."""
    other = {"children": replace(story.calls[KEY].children, sessions=7)} if "children" in changed else changed
    story.calls[KEY] = replace(story.calls[KEY], **other)
    assert _figures(story)[figure] == 1


def test_an_old_version_is_stale_and_its_later_notification_lost(story: Story) -> None:
    """Graph served the second, and the store has the first."""
    story.notified(101.0, version=2)
    story.read(101.05, version=2)
    reported = _figures(story)
    assert (reported["stale"], reported["lost"]) == (1, 1)


def _day(reported: int, silent: int = 0, forged: int = 0) -> Story:
    """So many calls that are stored, that no accepted notification names, that only a forged one names."""
    story = Story()
    for kind, count in (("reported", reported), ("silent", silent), ("forged", forged)):
        for number in range(count):
            key = (TENANT, f"{kind}-{number}")
            story.expected[key] = Expected({}, frozenset({1}), {})
            if kind == "reported":
                story.posts.append(Post(100.0, 100.02, 1, 202, (Item(f"i{number}", key, 1),)))
                story.calls[key] = _stored_call(key)
            if kind == "forged":
                _forge(story, key)
    return story


def _stored_call(key: Key) -> Any:
    whole = Story()
    whole.notified(100.0)
    whole.stored(100.2)
    return replace(whole.calls[KEY], key=key)


def test_every_call_that_was_ordered_is_accounted_for() -> None:
    """4,200 of which 4,161 are stored: of 39 there is no notification, and 5 more were made up."""
    assert _explained(_day(4161, 39, 5), 4200) == [
        "4,200 calls ended; 4,161 are stored.",
        NOT_NOTIFIED,
        "5 more are in Graph alone: their only notification was forged on purpose, and dropped.",
    ]


def test_a_whole_day_needs_no_excuse() -> None:
    """All stored, nothing forged: one sentence; a row that was cut short says how many calls never ended."""
    assert _explained(_day(3), 3) == ["3 calls ended; 3 are stored."]
    assert _explained(_day(3), 5)[-1] == "2 had not ended when the row was cut short."


def test_what_is_not_stored_is_told_apart(story: Story) -> None:
    """A dead letter is no loss, and a loss is called one."""
    story.calls.clear()
    assert _explained(story, 1)[1:] == ["1 were accepted and are neither stored nor dead letters: lost."]
    story.refused(100.2, story.records[0], "not_found")
    assert _explained(story, 1)[1:] == ["1 are dead letters: `ringback dlq ls` says why."]


def test_each_hop_is_measured_between_what_two_others_wrote(story: Story) -> None:
    """The sender's answer at 100.02, the read at 100.05, the record at 100.1, its row at 100.2."""
    ledgers = story.ledgers()
    hops = {hop.name: (hop.samples, round(hop.p50)) for hop in hops_of(ledgers, index_of(ledgers))}
    assert hops == {
        "notified → accepted": (1, 20),
        "accepted → fetch begun": (1, 30),
        "fetch begun → published": (1, 50),
        "published → stored": (1, 100),
        "accepted → stored": (1, 180),
    }


def test_the_report_names_each_kill_with_what_it_held_and_each_finding(story: Story) -> None:
    """What was killed while it held a record, and what the oracle says."""
    story.acts.append(Act(100.02, 100.9, "kill", "enricher"))
    story.calls.clear()
    ledgers, verdict, out = story.ledgers(), story.verdict(), StringIO()
    show(Console(file=out, width=160), 1, ledgers, index_of(ledgers), verdict, _figures(story))
    assert "killed enricher while it held 1 unfinished" in out.getvalue()
    assert all(sentence in out.getvalue() for sentence in verdict.sentences)
    json.dumps(_figures(story))


def test_the_row_of_the_demo_demands_what_makes_it_a_proof() -> None:
    """A kill of each service with work in hand, late versions, both refusals of Graph, and the largest calls."""
    row = next(row for row in read_rows(ROOT / "tests" / "fault" / "rows") if row.row == DEMO)
    held = {f"kills_holding_work_{service}": 1.0 for service in ("webhook", "enricher", "store")}
    seen = {"late_versions": 1.0, "served_404": 1.0, "throttled": 1.0, "most_sessions": 1000, "most_participants": 400}
    assert row.expect.evidence.items() >= (held | seen | {"items_accepted": 5000}).items()


def test_evidence_of_the_demo_is_read_off_the_ledgers(story: Story) -> None:
    """How large the largest call is, how many versions came late, and which service held work when it was killed."""
    nothing = story.verdict().evidence
    assert (nothing["late_versions"], nothing["most_sessions"], nothing["most_participants"]) == (0, 1, 2)
    story.notified(101.0, version=2)
    story.acts += [Act(100.02, 100.9, "kill", "enricher"), Act(100.9, 100.9, "kill", "store")]
    seen = story.verdict().evidence
    assert (seen["late_versions"], seen["kills_holding_work_enricher"]) == (1, 1)
    assert "kills_holding_work_store" not in seen
