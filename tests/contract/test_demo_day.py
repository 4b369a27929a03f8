"""The demo's calls as an analyst would see them: plausible quality, hours of a week, sites."""

import random
from collections import Counter
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from ringback_enricher.adapters.files import read_sites
from ringback_enricher.core.derive.record import RecordContext, RuleSet, derive
from ringback_enricher.core.derive.rules import CQD_2026_1
from ringback_events.wire import CallRecordWire
from ringback_graph_simulator import names
from ringback_graph_simulator.hours import working_moment
from ringback_graph_simulator.plans import plan_call
from ringback_graph_simulator.records import Records
from ringback_graph_simulator.workday import WorkdayOrder
from ringback_local.sites import SITES, write_sites
from ringback_local.workday import order_of

pytestmark = pytest.mark.contract

TENANT = "11111111-2222-3333-4444-555555555555"
CALLS = 1500
NOW = 1_790_000_000.0
ORDER = WorkdayOrder.of(dict(order_of(1, [TENANT], CALLS, 75.0)), seed=1)


def _calls(sites: Path) -> list[CallRecordWire]:
    """As many calls as the order's shapes give, derived with the sites of the demo."""
    tables, records = RuleSet(CQD_2026_1, read_sites(sites), revision=1), Records(seed=1)
    shapes = random.Random(1).choices(list(ORDER.shapes), list(ORDER.shapes.values()), k=CALLS)  # noqa: S311
    return [_derived(records, tables, shape, number) for number, shape in enumerate(shapes)]


def _derived(records: Records, tables: RuleSet, shape: str, number: int) -> CallRecordWire:
    call = f"call-{number}"
    end = working_moment(number / CALLS, ORDER.days, NOW)
    plan = plan_call(TENANT, call, shape, f"day/{number}", end=end, trouble=ORDER.trouble)
    parts: dict[str, Any] = {"sessions": list(records.sessions(plan, 2)), "participants_v2": []}
    graph = {**records.header(plan, 2, NOW), **parts}
    return derive(graph, RecordContext(TENANT, call, None, "2026-11-30T10:00:00Z"), tables)


@pytest.fixture(scope="module")
def calls(tmp_path_factory: pytest.TempPathFactory) -> list[CallRecordWire]:
    """The calls of a demo, derived once."""
    return _calls(write_sites(tmp_path_factory.mktemp("sites"), SITES))


def test_some_five_percent_of_the_calls_are_poor(calls: list[CallRecordWire]) -> None:
    """Of those that can be judged, as docs/store.md counts them; and of the streams fewer than Microsoft's target."""
    verdicts = Counter(call["quality"]["verdict"] for call in calls)
    share = verdicts["poor"] / (verdicts["poor"] + verdicts["good"])
    assert 0.03 < share < 0.075, verdicts
    audio = Counter[str]()
    for call in calls:
        audio.update(dict(call["quality"]["audio"]))
    assert 0.003 < audio["poor"] / (audio["poor"] + audio["good"]) < 0.03, audio


def test_most_calls_have_a_site_and_homes_have_none(calls: list[CallRecordWire]) -> None:
    """Every office is on the map; a home network is on none."""
    found = Counter(site for call in calls for site in call["sites"])
    assert set(found) == {site for site, _ in SITES}
    assert 0.6 < sum(bool(call["sites"]) for call in calls) / len(calls) < 1.0


def test_the_map_knows_every_building_of_the_simulator(tmp_path: Path) -> None:
    """A building that is added there is a site here, or said to be a home."""
    sites = read_sites(write_sites(tmp_path, SITES))
    placed = {
        prefix: sites.place(f"{prefix}::7" if ":" in prefix else f"{prefix}.7").site for prefix in names.BUILDINGS
    }
    assert [prefix for prefix, site in placed.items() if site is None] == ["192.168.178"]


def test_the_week_has_days_and_hours(calls: list[CallRecordWire]) -> None:
    """Calls ended on five working days, in many hours of each: what an analyst groups by is there."""
    ends = [datetime.fromisoformat(call.get("endDateTime") or "") for call in calls]
    hours = Counter((end.date(), end.hour) for end in ends)
    days = Counter(day for day, _ in hours)
    assert sorted(day.weekday() for day in days) == [0, 1, 2, 3, 4]
    assert min(days.values()) >= 10, days
