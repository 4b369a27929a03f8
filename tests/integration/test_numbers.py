"""Numbers at and beyond the bounds of what is read, from Graph's bytes over the topic into PostgreSQL."""

from dataclasses import replace
from typing import Any

import asyncpg
import orjson
import pytest
from multidict import CIMultiDict
from ringback_common.clock import SystemClock
from ringback_common.outcomes import Emit, Received
from ringback_common.settings import LimitsSettings
from ringback_enricher.core.derive.record import RecordContext, RuleSet, derive
from ringback_enricher.core.derive.rules import CQD_2026_1
from ringback_enricher.core.derive.sites import SiteMap
from ringback_enricher.core.publishing import publication
from ringback_events.record import CallRecord
from ringback_graph.client import json_object
from ringback_graph.exchange import Reply
from ringback_sink.store.handlers import RecordsStep
from ringback_sink.store.postgres.migrate import migrate
from ringback_sink.store.postgres.store import PostgresStore
from ringback_testing.graph_records import TENANT, meeting
from ringback_testing.json_values import is_list, is_object

pytestmark = pytest.mark.integration

TABLES = RuleSet(CQD_2026_1, SiteMap(), revision=1)
NUMBERS: dict[str, object] = {
    "9223372036854775807": 2**63 - 1,
    "-9223372036854775808": -(2**63),
    "9223372036854775808": 2**63,
    "18446744073709551615": 2**64 - 1,
    "18446744073709551616": 2.0**64,
    "-9223372036854775809": -(2.0**63),
    "9" * 300: 1e300,
    "1.7976931348623157e308": 1.7976931348623157e308,
    "-1.7976931348623157e308": -1.7976931348623157e308,
    "5e-324": 5e-324,
    "1e-999": 0.0,
    "-0": 0,
    "0." + "3" * 5000: 1 / 3,
    "1e999": None,
    "-1e999": None,
    "9" * 5000: None,
}
"""As Graph may write them, and as they are kept: whole within 64 bits, else as a double has them, beyond it null."""


def with_numbers(value: Any) -> Any:
    """All numbers of a record become a text to be replaced, and each object has one more; the version stays."""
    if is_object(value):
        kept = {name: inner if name == "version" else with_numbers(inner) for name, inner in value.items()}
        return {**kept, "unheardOf": "NUMBER"}
    if is_list(value):
        return [with_numbers(inner) for inner in value]
    return "NUMBER" if isinstance(value, (int, float)) and not isinstance(value, bool) else value


def published(reported: str, call: str) -> Received:
    """The record that is published when Graph tells a meeting in which every number is this one."""
    data = orjson.dumps(with_numbers(meeting()) | {"id": call}).replace(b'"NUMBER"', reported.encode())
    graph = json_object(Reply(200, CIMultiDict({"Content-Type": "application/json"}), data))
    assert graph is not None
    record = derive(graph, RecordContext(TENANT, call, None, "2026-11-02T10:00:00Z"), TABLES)
    stages = publication(record, lambda _: lambda _: None, replay=False, canary=False)
    assert isinstance(stages, tuple)
    message = stages[0][0]
    return Received(message.topic, 0, 0, 0, message.key, message.value, message.headers)


async def test_every_number_that_graph_may_write_is_published_and_stored(database: str) -> None:
    """Wherever it stands: the contract's readers take the record, and the store has what was published."""
    await migrate(database)
    writer, eyes = PostgresStore(database, SystemClock()), await asyncpg.connect(database)
    calls = {f"call-{at}": reported for at, reported in enumerate(NUMBERS)}
    try:
        records = [replace(published(reported, call), offset=at) for at, (call, reported) in enumerate(calls.items())]
        step = RecordsStep(writer, SystemClock(), LimitsSettings())
        assert await step(records) == [Emit()] * len(NUMBERS)
        rows = await eyes.fetch("SELECT call_id, document::text FROM callrecords.call")
    finally:
        await writer.close()
        await eyes.close()
    for record, (call, reported) in zip(records, calls.items(), strict=True):
        CallRecord.model_validate_json(record.value or b"")
        document = orjson.loads(next(row["document"] for row in rows if row["call_id"] == call))
        assert document == orjson.loads(record.value or b"")["graph"], reported[:20]
        assert document["unheardOf"] == NUMBERS[reported], reported[:20]
