"""A call of which Graph has no list of participants: published from what is left, and it says so."""

from typing import Any

import orjson
import pytest
from ringback_common.outcomes import Received
from ringback_events.topics import CALLS, RECORDS
from ringback_testing.fetch_bench import Bench, FoundOf, MakeBench, RequestOf, emitted
from ringback_testing.graph_records import side, user

TWO = [
    {"caller": side(user("5f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f1", None)), "callee": side(user("+493012345678", None))}
]
WITHHELD = [TWO[0] | {"callee": side(user("anonymous", None))}]


async def anomaly(bench: Bench, request: Received) -> object:
    """What the restricted record and the open call say alike."""
    (outcome,) = emitted(await bench.step([request]))
    published = {
        stage[0].topic: orjson.loads(stage[0].value or b"")["anomalies"]
        for stage in (outcome.stages[0], outcome.stages[-1])
    }
    assert published[RECORDS.name] == published[CALLS.name]
    return published[RECORDS.name]["participantsMissing"]


@pytest.mark.parametrize("kind", ["groupCall", "unknown", None])
@pytest.mark.parametrize(
    ("reported", "missing"), [(None, True), ({"participants_v2": []}, False), ({"participants_v2": None}, False)]
)
async def test_a_group_call_without_the_list_says_so(
    make_bench: MakeBench, request_of: RequestOf, found: FoundOf, kind: Any, reported: Any, *, missing: bool
) -> None:
    """An empty list is one: Graph says then that nobody is listed."""
    graph = found(type=kind)
    del graph.record["participants_v2"]
    graph.record.update(reported or {})
    assert await anomaly(make_bench(graph), request_of()) is missing


@pytest.mark.parametrize(("sessions", "missing"), [(TWO, False), (WITHHELD, True)])
async def test_a_peer_to_peer_call_lacks_the_list_only_where_its_sides_do_not_tell_who_they_are(
    make_bench: MakeBench, request_of: RequestOf, found: FoundOf, sessions: Any, *, missing: bool
) -> None:
    """No list is asked for where they do."""
    graph = found(type="peerToPeer", sessions=sessions)
    del graph.record["participants_v2"]
    assert await anomaly(make_bench(graph), request_of()) is missing
    assert await anomaly(make_bench(found(type="peerToPeer", sessions=sessions)), request_of()) is False
