"""I15 beside another installation: nothing of what is done to that one may be felt here."""

from dataclasses import replace

import pytest
from ringback_faults.ledgers import Act, Generation
from ringback_faults.oracle.beside import CALM, TORTURE

from .conftest import Story

TORTURED = Act(100.0, 105.0, TORTURE, "beside")


def _tortured(story: Story, baseline: float = 0.2) -> Story:
    """The story's call comes while the other installation is tortured; one of the calm before took so long."""
    story.acts = [Act(90.0, 95.0, CALM, "beside"), TORTURED]
    story.notified(94.0 - baseline, 0, took=0.0)
    story.versions.append(story.versions[0].__class__(story.versions[0].key, 0, 1, 94.0))
    return story


def test_calls_that_are_stored_as_soon_as_before_are_no_anomaly(story: Story) -> None:
    """And the figures are there."""
    verdict = _tortured(story).verdict(judged=("I15",))
    assert verdict.anomalies["I15"] == 0
    assert verdict.figures["items_torture"] == verdict.figures["items_calm"] == 1
    assert verdict.figures["p95_torture"] == verdict.figures["p99_torture"] == pytest.approx(0.18)


@pytest.mark.parametrize(
    ("baseline", "took", "findings"),
    [(0.2, 0.39, 0), (0.2, 0.41, 1), (0.8, 1.49, 0), (0.8, 1.51, 1), (0.2, 1.51, 2)],
    ids=["twice", "more than twice", "at the bound", "above the bound", "both"],
)
def test_p95_may_be_twice_its_baseline_and_p99_has_a_bound(
    story: Story, baseline: float, took: float, findings: int
) -> None:
    """Here there is one item, which is both; a slow calm allows p99 no more than 1.5 s."""
    _tortured(story, baseline)
    story.versions[0] = story.versions[0].__class__(story.versions[0].key, 1, 1, 100.02 + took)
    assert story.verdict().anomalies["I15"] == findings


@pytest.mark.parametrize(("last", "after"), [("100.000000", 1), ("103.000000", 0), ("0.000000", 1)])
def test_items_that_came_after_the_last_offsets_were_set_back_are_counted(story: Story, last: str, after: int) -> None:
    """Else these would have been set when there was nobody left to feel it."""
    story.acts = [replace(TORTURED, detail={"last_reset": last})]
    assert story.verdict().evidence["items_after_resets"] == after


def test_a_group_that_changes_hands_has_members_of_the_other_installation(story: Story) -> None:
    """Nobody touched this one's; what the other one's groups do is told by their prefix."""
    _tortured(story)
    story.generations = [
        Generation(103.0, "other.ringback-enricher", 4, 1),
        Generation(90.0, "ringback-enricher", 1, 1),
    ]
    assert "I15" not in story.broken()
    story.generations.append(Generation(103.0, "ringback-enricher", 2, 2))
    assert "I15" in story.broken()


def test_nobody_to_compare_is_an_anomaly(story: Story) -> None:
    """A row whose load ended before the torture shows nothing."""
    story.acts = [TORTURED]
    assert "I15" in story.broken()


def test_a_row_without_a_torture_is_not_judged_by_it(story: Story) -> None:
    """And has no such figures."""
    assert "p99_torture" not in story.verdict().figures
