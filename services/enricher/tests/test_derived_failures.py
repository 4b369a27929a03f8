"""Which of a call's failures the call itself gets: the first that says something."""

from typing import Any

import pytest
from ringback_enricher.core.derive.record import RecordContext, RuleSet, derive
from ringback_enricher.core.derive.rules import CQD_2026_1
from ringback_enricher.core.derive.sites import SiteMap
from ringback_events.wire import CallRecordWire
from ringback_testing.graph_records import (
    CALL,
    TENANT,
    meeting,
)

SITES = (("10.20.0.0/16", "Berlin"), ("10.20.30.0/24", "Berlin, 3rd floor"), ("2001:db8::/32", "Lab"))
TABLES = RuleSet(CQD_2026_1, SiteMap(SITES), revision=1)


def derived(graph: dict[str, Any]) -> CallRecordWire:
    """The restricted record of a synthetic one."""
    return derive(graph, RecordContext(TENANT, CALL, "2026-11-02T09:55:00Z", "2026-11-02T09:55:01Z"), TABLES)


def test_the_first_failure_is_the_calls() -> None:
    """A segment's failure counts where the session tells none."""
    graph = meeting()
    graph["sessions"][2]["segments"][0]["failureInfo"] = {"stage": "midcall", "reason": "gone"}
    record = derived(graph)
    assert record.get("failure") == {"stage": "midcall", "reason": "gone"}
    assert [each.get("failure") is not None for each in record["sessions"]] == [False, False, True, False]


@pytest.mark.parametrize(
    "silent", [{"stage": None, "reason": None}, {"reason": ""}, {"@odata.type": "#x"}, {}, "x", []]
)
def test_a_failure_that_tells_nothing_is_none_and_hides_none(silent: Any) -> None:
    """Neither of the session, nor of its segment, nor of an earlier session."""
    graph = meeting()
    quiet, failed = graph["sessions"][0], graph["sessions"][2]
    for each in (quiet, quiet["segments"][0], failed):
        each["failureInfo"] = silent
    assert derived(graph).get("failure") is None
    failed["segments"][0]["failureInfo"] = {"stage": "midcall", "reason": "gone"}
    record = derived(graph)
    assert record.get("failure") == record["sessions"][2].get("failure") == {"stage": "midcall", "reason": "gone"}
    assert record["sessions"][0].get("failure") is None


def test_a_failure_of_an_unknown_stage_gives_way_to_one_that_tells_more() -> None:
    """It says that something failed, and nothing else; a reason or a stage, further in or later, says more."""
    graph = meeting()
    graph["sessions"][0]["failureInfo"] = {"stage": "unknown", "reason": None}
    assert derived(graph).get("failure") == {"stage": "unknown", "reason": None}
    graph["sessions"][0]["segments"][0]["failureInfo"] = {"stage": None, "reason": "gone"}
    assert derived(graph)["sessions"][0].get("failure") == {"stage": "unknown", "reason": "gone"}
    graph["sessions"][0]["segments"][0]["failureInfo"] = None
    graph["sessions"][1]["failureInfo"] = {"stage": "callSetup", "reason": None}
    assert derived(graph).get("failure") == {"stage": "callSetup", "reason": None}


@pytest.mark.parametrize(
    ("first", "then", "reported"),
    [
        (("midcall", None), (None, "Drop"), ("unknown", "Drop")),
        (("midcall", None), ("midcall", "Drop"), ("midcall", "Drop")),
        (("unknownFutureValue", None), ("callSetup", "x"), ("callSetup", "x")),
        (("unknownFutureValue", None), ("callSetup", None), ("callSetup", None)),
        (("unknown", "x"), ("midcall", "y"), ("midcall", "y")),
        (("midcall", " "), ("unknown", "x"), ("unknown", "x")),
        (("midcall", "x"), ("callSetup", "y"), ("midcall", "x")),
        (("midcall", "x"), ("callSetup", None), ("midcall", "x")),
        ((" ", "\t"), None, None),
        (("\t", None), ("midcall", None), ("midcall", None)),
    ],
)
@pytest.mark.parametrize("where", ["in the segment", "in a later session"])
def test_a_failure_that_tells_more_is_hidden_by_none(
    where: str, first: tuple[Any, Any], then: tuple[Any, Any] | None, reported: tuple[str, str] | None
) -> None:
    """A reason says most, then a stage that is known; of two that tell alike the first is the call's."""
    graph = meeting()
    quiet, later = graph["sessions"][0], graph["sessions"][1]
    quiet["failureInfo"] = dict(zip(("stage", "reason"), first, strict=True))
    further = quiet["segments"][0] if where == "in the segment" else later
    further["failureInfo"] = then and dict(zip(("stage", "reason"), then, strict=True))
    record = derived(graph)
    assert record.get("failure") == (reported and dict(zip(("stage", "reason"), reported, strict=True)))
    if where == "in the segment":
        assert record["sessions"][0].get("failure") == record.get("failure")


def test_a_call_that_ends_before_it_starts_is_counted_too() -> None:
    """Once for the call, beside its sessions and segments."""
    record = derived(meeting() | {"endDateTime": "2026-11-02T08:59:59Z"})
    assert record["anomalies"]["negativeDurations"] == 1
    assert record.get("durationMs") == -1123
