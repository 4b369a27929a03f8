"""The derivation over records drawn from Graph's metadata: never raises, stays within the contract, loses nothing."""

from copy import deepcopy
from random import Random
from typing import Any

import orjson
import pytest
from hypothesis import event, given
from hypothesis import strategies as st
from ringback_common.outcomes import Reject
from ringback_enricher.core.derive.record import RecordContext, RuleSet, derive
from ringback_enricher.core.derive.rules import CQD_2026_1
from ringback_enricher.core.derive.sites import SiteMap
from ringback_enricher.core.publishing import publication
from ringback_events.consume import read_call, read_session_event
from ringback_events.open import OpenSession
from ringback_events.record import CallRecord
from ringback_events.topics import CALLS, RECORDS, SESSIONS
from ringback_testing.graph_payloads import Json, records
from ringback_testing.graph_records import CALL, TENANT
from ringback_testing.json_values import is_object
from ringback_testing.properties import examples

pytestmark = pytest.mark.timeout(400)  # a failure is shrunk for up to 5 min

TABLES = RuleSet(CQD_2026_1, SiteMap((("10.0.0.0/8", "Köln, Dom"), ("::/0", "v6"))), revision=1)
START = "2026-11-02T09:00:00Z"
CONTEXT = RecordContext(TENANT, CALL, "2026-11-02T09:55:00Z", "2026-11-02T09:55:01Z")


def as_read(graph: Json) -> Json:
    """The record as the client gives it: whatever is drawn has been through Graph's JSON."""
    return orjson.loads(orjson.dumps(graph))


def published(graph: Json) -> list[tuple[str, bytes]]:
    """Everything that is written of a record: topic and value."""
    stages = publication(derive(graph, CONTEXT, TABLES), lambda _: lambda _: None, replay=False, canary=False)
    assert not isinstance(stages, Reject)
    return [(message.topic, message.value or b"") for stage in stages for message in stage]


@examples(250)
@given(records())
def test_whatever_graph_may_send_is_derived_within_the_contract(drawn: Json) -> None:
    """Any record of the metadata's types becomes a valid restricted record that holds all Graph said, unchanged."""
    graph = as_read(drawn)
    before = deepcopy(graph)
    wire = orjson.loads(orjson.dumps(derive(graph, CONTEXT, TABLES)))
    record = CallRecord.model_validate(wire)
    assert graph == before
    assert orjson.dumps(wire["graph"]) == orjson.dumps(before)
    event("with sessions" if record.sessions else "without")
    sessions = [each for each in _sessions(graph) if is_object(each)]
    assert record.session_count == len(record.sessions) == len(sessions)
    assert [session.ordinal for session in record.sessions] == list(range(len(sessions)))
    assert {party.index for party in record.parties} == set(range(record.counts.parties))


def _sessions(graph: Json) -> list[Any]:
    return graph["sessions"] if isinstance(graph.get("sessions"), list) else []


@examples(80)
@given(records())
def test_whatever_graph_may_send_is_published_whole(drawn: Json) -> None:
    """The consumer kit reads every stage: the record, each open session, the marker with their count, the call."""
    (first, record), *others = published(as_read(drawn))
    assert first == RECORDS.name
    *sessions, (of_marker, marker), (last, call) = others
    assert {topic for topic, _ in sessions} | {of_marker} == {SESSIONS.name}
    assert last == CALLS.name
    reported = CallRecord.model_validate_json(record)
    read = [read_session_event(value) for _, value in sessions]
    assert all(isinstance(each, OpenSession) for each in read)
    assert [each.ordinal for each in read if isinstance(each, OpenSession)] == list(range(reported.session_count))
    assert read_session_event(marker).session_count == reported.session_count
    assert read_call(call).counts == reported.counts


@examples(60)
@given(records(), st.booleans(), st.randoms(use_true_random=False))
def test_the_order_in_which_graph_serves_sessions_changes_nothing_derived(
    drawn: Json,
    alike: bool,  # noqa: FBT001 - drawn
    shuffle: Random,
) -> None:
    """Pages may come in another order at the next look: ordinals, parties, verdicts and counts stay."""
    graph = as_read(drawn)
    sessions = _sessions(graph)
    if alike:  # as at a hand-over: same id and start, so that only the sides and the content tell them apart
        sessions = [each | {"id": "s", "startDateTime": START} for each in sessions if is_object(each)]
    first, second = (
        orjson.dumps(derive(graph | {"sessions": order}, CONTEXT, TABLES) | {"graph": {}})
        for order in (sessions, shuffle.sample(sessions, len(sessions)))
    )
    assert first == second
