"""One limit for what is read, published and stored: published has at most 2.5 times the bytes of Graph's JSON."""

import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import cramjam
import orjson
import pytest
from ringback_common.errors import ConfigError
from ringback_common.outcomes import Message, Reason, Received, Reject
from ringback_common.settings import LimitsSettings
from ringback_enricher.core.derive.record import derive
from ringback_enricher.core.publishing import Stages, publication
from ringback_events.topics import CALLS, RECORDS
from ringback_graph_simulator.plans import SHAPES, plan_call
from ringback_graph_simulator.records import Records
from ringback_sink.store.core.record import decode

from bench.enricher_core import CONTEXT, TABLES, TOKENS, record
from bench.paged_graph import json_bytes

SESSIONS = 400
ROOT = Path(__file__).parents[2]


def simulated(shape: str) -> dict[str, Any]:
    """A meeting of the simulator, whole."""
    records = Records(seed=1)
    plan = plan_call("t", CONTEXT.call_id, shape, "sizes", end=time.time(), sessions=SESSIONS)
    parts = {"participants_v2": records.participants(plan, 1), "sessions": list(records.sessions(plan, 1))}
    return {**records.header(plan, 1, plan.end), **parts}


MEETINGS = {"bench": lambda: record(1, SESSIONS)} | {
    name: lambda name=name: simulated(name) for name, shape in SHAPES.items() if shape.group
}


def published(graph: dict[str, Any], largest: int | None = None) -> Stages | Reject:
    """What is published of it."""
    return publication(derive(graph, CONTEXT, TABLES), TOKENS, replay=False, canary=False, largest=largest)


def restricted(stages: Stages | Reject) -> Message:
    """The record among it."""
    assert not isinstance(stages, Reject)
    return stages[0][0]


@pytest.mark.parametrize("name", MEETINGS)
def test_a_record_at_the_limit_fits_everywhere(name: str) -> None:
    """Its derived form is within what readers take, and all its messages, compressed, within what topics take."""
    graph = MEETINGS[name]()
    size = len(orjson.dumps(graph))
    stages = published(graph)
    limits = LimitsSettings()
    times = limits.record_bytes / size
    value = restricted(stages).value or b""
    assert len(value) <= size * limits.published_bytes / limits.record_bytes
    assert len(cramjam.zstd.compress(value)) * times < 0.8 * RECORDS.max_bytes
    assert not isinstance(stages, Reject)
    assert len(cramjam.zstd.compress(stages[-1][0].value or b"")) * times < 0.8 * CALLS.max_bytes


def test_what_is_published_is_stored_and_one_byte_more_is_neither() -> None:
    """Enricher and store draw the line at the same byte."""
    graph = record(1, 20)
    message = restricted(published(graph))
    size = len(message.value or b"")
    received = Received(message.topic, 0, 0, 0, message.key, message.value, message.headers)
    assert restricted(published(graph, size)) == message
    assert not isinstance(decode(received, size), Reject)
    assert published(graph, size - 1) == Reject(Reason.TOO_LARGE)
    assert decode(replace(received, value=(message.value or b"") + b" "), size) == Reject(Reason.TOO_LARGE)


def test_the_limit_is_not_below_four_thousand_sessions() -> None:
    """Of the bench's meeting."""
    assert LimitsSettings().record_bytes >= 4000 / SESSIONS * len(orjson.dumps(record(1, SESSIONS)))


def test_the_largest_record_must_fit_into_what_is_in_hand() -> None:
    """Else it would wait for ever: one sentence that names both settings."""
    limits = LimitsSettings(record_bytes=2**20, in_hand_bytes=10 * 2**20)
    limits.require(10)
    with pytest.raises(ConfigError, match="IN_HAND_BYTES must be at least 11 times RINGBACK_LIMITS__RECORD_BYTES"):
        limits.require(11)
    with pytest.raises(ConfigError, match="RECORD_BYTES and 16 MiB more"):
        limits.require(10, 16 * 2**20)


def test_how_many_sessions_fit_is_said_of_the_meeting_it_was_counted_of() -> None:
    """Bytes decide, not sessions: those of the bench have more than the simulator's."""
    largest = LimitsSettings().record_bytes
    of_the_bench = (json_bytes(2 * SESSIONS) - json_bytes(SESSIONS)) / SESSIONS
    of_the_simulator = len(orjson.dumps(simulated("largeMeeting"))) / SESSIONS
    bench = f"{round(largest / of_the_bench, -1):,.0f} sessions of the bench's meeting"
    simulator = f"some {round(largest / of_the_simulator, -3):,.0f} of the simulator's"
    for page in (ROOT / "docs" / "adr" / "0016-sizes.md", ROOT / "contracts/topics/callrecords.open.calls.v1.yaml"):
        text = " ".join(page.read_text("utf-8").replace("\n#", "\n").split())
        assert (bench in text, simulator in text) == (True, True), (page, bench, simulator)
