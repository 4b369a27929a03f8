"""Metrics: declared once, with bounded labels."""

import pytest
from ringback_common.metrics import Catalogue, catalogue

UNBOUNDED = {"call_id", "user", "subscription_id", "upn", "name", "key"}


def test_no_label_is_unbounded() -> None:
    """A call or a person never becomes a label."""
    assert [metric.name for metric in catalogue if UNBOUNDED & set(metric.labels)] == []


def test_every_metric_is_explained() -> None:
    """The documentation has a sentence for each."""
    assert [metric.name for metric in catalogue if not metric.help.endswith(".")] == []


@pytest.mark.parametrize("name", ["other_total", "ringback_twice"])
def test_a_foreign_or_repeated_name_is_refused(name: str) -> None:
    """The catalogue is closed and has each name once."""
    fresh = Catalogue()
    fresh.counter("ringback_twice", "Counted twice.")
    with pytest.raises(ValueError, match="must start with ringback_"):
        fresh.counter(name, "Again.")
