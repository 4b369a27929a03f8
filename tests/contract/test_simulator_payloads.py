"""Every payload of the Graph simulator, against the types of Graph's published metadata."""

import random
from typing import Any

import orjson
import pytest
from ringback_graph_simulator.calls import Call
from ringback_graph_simulator.metadata import Table, shipped_table, violations
from ringback_graph_simulator.notifications import Item, render
from ringback_graph_simulator.plans import SHAPES, Plan, plan_call
from ringback_graph_simulator.records import Records
from ringback_graph_simulator.subscriptions import Subscription

pytestmark = pytest.mark.contract

_RECORDS = "microsoft.graph.callRecords"
_NOW = 1_790_000_000.0


@pytest.fixture(scope="module")
def table() -> Table:
    """The types as shipped with the simulator."""
    return shipped_table()


def _record(records: Records, plan: Plan, version: int) -> dict[str, Any]:
    body = records.header(plan, version, _NOW)
    body["sessions"] = list(records.sessions(plan, version))
    body["participants_v2"] = records.participants(plan, version)
    return orjson.loads(orjson.dumps(body))


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(("mark", "old"), [(False, False), (True, False), (False, True)])
def test_records_have_only_names_and_types_of_the_metadata(shape: str, mark: bool, old: bool, table: Table) -> None:  # noqa: FBT001
    """Each shape, each version, marked and with old identities: every member is declared and of its type."""
    records = Records(seed=7)
    people = 45 if shape in {"largeMeeting", "webinar", "meeting"} else None
    for number in range(15 if people is None else 2):
        seed = f"{shape}/{number}"
        plan = plan_call("t", f"call-{number}", shape, seed, end=_NOW, participants=people, mark=mark, old=old)
        for version in (1, 2, 3):
            body = _record(records, plan, version)
            assert list(violations(body, f"{_RECORDS}.callRecord", table)) == []


def _subscription() -> Subscription:
    guid = "5d6e1b0f-4f51-4a3b-9d9c-1f2b3c4d5e6f"
    types, url = frozenset({"updated"}), "https://ringback.example/graph"
    return Subscription(
        guid, guid, guid, "communications/callRecords", types, url, url, "state", "v1_2", _NOW, _NOW, _NOW
    )


def test_notifications_and_subscriptions_are_of_the_metadata(table: Table) -> None:
    """Envelopes of both kinds of notification and the subscription itself fit their types."""
    subscription, rng = _subscription(), random.Random(1)  # noqa: S311
    call = Call(plan_call("t", "c", "pstn", "s", end=_NOW), 1, _NOW, _NOW, set())
    items = [Item("i", subscription, known, event, "state") for known, event in ((call, "updated"), (None, "missed"))]
    value = [render(item, rng, "mixed") for item in items for _ in range(50)]
    for entry in value:
        entry.get("resourceData", {}).pop("@odata.type", None)  # it names the record, not the data around it
    assert list(violations({"value": value}, "microsoft.graph.changeNotificationCollection", table)) == []
    assert list(violations(subscription.view(), "microsoft.graph.subscription", table)) == []


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("type",), "conference"),
        (("version",), "2"),
        (("startDateTime",), "yesterday"),
        (("sessions", 0, "caller", "nickname"), "x"),
        (("sessions", 0, "segments", 0, "media", 0, "streams", 0, "averageJitter"), 0.016),
        (("sessions", 0, "caller", "@odata.type"), "#microsoft.graph.callRecords.media"),
        (("sessions", 0, "segments", 0, "media", 0, "callerNetwork", "connectionType"), "carrierPigeon"),
    ],
)
def test_the_check_finds_a_planted_mistake(path: tuple[Any, ...], value: Any, table: Table) -> None:
    """A wrong enum member, type, form, name or derived type anywhere in a record is reported."""
    body = _record(Records(seed=7), plan_call("t", "c", "peerToPeer", "s", end=_NOW), 3)
    spot: Any = body
    for step in path[:-1]:
        spot = spot[step]
    spot[path[-1]] = value
    assert len(list(violations(body, f"{_RECORDS}.callRecord", table))) >= 1
