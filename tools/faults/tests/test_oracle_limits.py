"""Records at the limit: weighed by the simulator's ledger, and told apart by what became of them."""

from dataclasses import replace
from typing import Any

import pytest
from ringback_faults.actions.limits import weight_of
from ringback_faults.ledgers import Act
from ringback_faults.oracle.evidence import evidence_of
from ringback_faults.oracle.index import index_of
from ringback_faults.oracle.limits import limit_figures

from .conftest import FETCH, KEY, Story


def _line(route: str, size: int, **facts: Any) -> dict[str, Any]:
    line = {"kind": "request", "status": 200, "tenantId": "t", "callId": "c", "route": route, "bytes": size}
    return {**line, **facts}


def test_a_call_weighs_what_its_replies_of_one_read_have() -> None:
    """A read that was broken off, a refusal, a later look at the version and what is no request count nothing."""
    read = [_line("record", 900), _line("sessions", 90), _line("participants", 9)]
    refused, looked = _line("participants", 70, status=400), _line("versionCheck", 7)
    assert weight_of([{"kind": "post"}, refused, *read[:2], *read, looked]) == {("t", "c"): 999}


def test_a_call_whose_participants_nobody_asked_for_has_not_been_read() -> None:
    """So it has no weight yet, be it that it is still being read or that its process died."""
    assert weight_of([_line("record", 900), _line("sessions", 90)]) == {}


def _figures(story: Story, **calls: str) -> dict[str, float]:
    named: dict[str, float | str] = {"calls_at": "", "calls_above": "", **calls}
    story.acts = [Act(99.0, 100.0, "limit records", "graph", named)]
    ledgers = story.ledgers()
    seen = evidence_of(ledgers, index_of(ledgers))
    return {name: seen[name] for name in ("limit_lacking", "limit_kept", "limit_passed")}


def test_a_record_at_the_limit_is_whole_if_it_is_published_and_stored(story: Story) -> None:
    """On all three topics and in the store."""
    assert _figures(story, calls_at=KEY[1]) == {"limit_lacking": 0, "limit_kept": 0, "limit_passed": 0}
    story.calls = {}
    assert _figures(story, calls_at=KEY[1])["limit_lacking"] == 1


def test_a_record_above_the_limit_is_refused_for_its_size_and_passes_nowhere() -> None:
    """A dead letter of another cause is not what it had to be."""
    story = Story()
    story.notified(100.0)
    story.refused(100.2, story.asked(100.01), "too_large")
    assert _figures(story, calls_above=KEY[1]) == {"limit_lacking": 0, "limit_kept": 0, "limit_passed": 0}
    story.records[-1] = replace(
        story.records[-1], headers={**story.records[-1].headers, "ringback_dlq_reason": b"malformed"}
    )
    assert _figures(story, calls_above=KEY[1])["limit_kept"] == 1


def test_a_record_above_the_limit_that_was_published_is_told(story: Story) -> None:
    """Whatever else became of it."""
    assert _figures(story, calls_above=KEY[1])["limit_passed"] == 1


@pytest.mark.parametrize(
    ("killed", "across"),
    [(100.07, 1), (100.03, 0), (100.2, 0)],
    ids=["while it was read", "before it was asked for", "when it was published"],
)
def test_a_death_struck_a_record_at_the_limit_that_was_in_hand(story: Story, killed: float, across: int) -> None:
    """Accepted at 100.02, asked for at 100.05, published at 100.1."""
    story.acts = [Act(99.0, 100.0, "limit records", "graph", {"calls_at": KEY[1], "calls_above": ""})]
    story.acts.append(Act(killed, 105.0, "kill", "enricher"))
    ledgers = story.ledgers()
    assert limit_figures(ledgers, index_of(ledgers))["limit_across_kill"] == across


def test_a_record_that_was_refused_after_a_death_was_in_hand_as_well(story: Story) -> None:
    """That it is refused is the finding; the death struck it all the same."""
    story.acts = [Act(99.0, 100.0, "limit records", "graph", {"calls_at": KEY[1], "calls_above": ""})]
    story.acts.append(Act(100.07, 105.0, "kill", "enricher"))
    asked = next(record for record in story.records if record.topic == FETCH)
    story.records = [asked]
    story.refused(106.0, asked, "too_large")
    ledgers = story.ledgers()
    assert limit_figures(ledgers, index_of(ledgers))["limit_across_kill"] == 1


def test_a_row_without_such_records_has_no_such_figures(story: Story) -> None:
    """A row that bounds a figure that nobody counts must not pass."""
    ledgers = story.ledgers()
    assert "limit_passed" not in evidence_of(ledgers, index_of(ledgers))
