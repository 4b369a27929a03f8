"""Each kind of poison is what it says: the readers of the enricher and of the store refuse it, for that reason."""

from datetime import UTC, datetime
from pathlib import Path

import orjson
import pytest
from ringback_common.outcomes import Received, Reject
from ringback_enricher.core.requests.pending_fetch import PendingFetch, accept
from ringback_events import topics
from ringback_events.times import wire_time
from ringback_faults.actions.poison_kinds import Poison, of_lanes, of_records
from ringback_sink.store.core.record import decode

_NOW = datetime.now(UTC)
_TENANT = "11111111-2222-3333-4444-555555555555"
_EXAMPLES = Path(__file__).parents[2] / "contracts" / "examples" / "record"
_GOOD = orjson.loads((_EXAMPLES / "nulls.json").read_bytes())
_LEFT_TO_OTHERS = {"hostile_link", "store_refused"}
"""Legal for the reader: the guard of links or PostgreSQL refuses them."""


def _received(topic: str, poison: Poison) -> Received:
    return Received(topic, 0, 0, 1, poison.key, poison.value, tuple(poison.headers.items()))


@pytest.mark.parametrize("poison", list(of_lanes(_TENANT, wire_time(_NOW))), ids=lambda poison: poison.name)
def test_the_enricher_refuses_it(poison: Poison) -> None:
    """At the door, or the guard of links does."""
    read = accept(_received(topics.FETCH.name, poison), _NOW)
    if poison.reason in _LEFT_TO_OTHERS:
        assert isinstance(read, PendingFetch)
    else:
        assert isinstance(read, Reject)
        assert read.reason == poison.reason


@pytest.mark.parametrize("poison", list(of_records(_TENANT, wire_time(_NOW), _GOOD)), ids=lambda poison: poison.name)
def test_the_store_refuses_it(poison: Poison) -> None:
    """When it decodes it, or PostgreSQL does."""
    read = decode(_received(topics.RECORDS.name, poison))
    assert isinstance(read, Reject) is (poison.reason not in _LEFT_TO_OTHERS)
    if isinstance(read, Reject):
        assert read.reason == poison.reason
