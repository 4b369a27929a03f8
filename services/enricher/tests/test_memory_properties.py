"""What was published lately: any order, any repeats, any bound: never spares what nobody has."""

from datetime import UTC, datetime
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from ringback_common.outcomes import Drop, Emit, Message, Outcome, Reason, Received, Reject
from ringback_enricher.core.requests.pending_fetch import PendingFetch, accept
from ringback_enricher.core.requests.recent_publications import RecentPublications
from ringback_events.fetch import FetchRequest
from ringback_events.headers import VersionHeaders
from ringback_events.keys import call_key
from ringback_events.topics import CALLS, FETCH, RECORDS
from ringback_testing.graph_records import CALL, TENANT
from ringback_testing.properties import examples

MADE = datetime(2026, 11, 2, 10, 0, tzinfo=UTC)
keys = st.sampled_from([b"a", b"a", b"b", b"c"])
ranks = st.tuples(st.integers(1, 4), st.integers(1, 3))
fates = st.sampled_from(["acked", "acked", "refused", "canary"])


def request(source: str) -> Received:
    """A request of somebody."""
    asked = FetchRequest(tenant_id=TENANT, call_id=CALL, source=source, received_at=MADE)
    return Received(FETCH.name, 0, 0, 0, call_key(TENANT, CALL), asked.model_dump_json(by_alias=True).encode(), ())


def outcome(key: bytes, version: int, revision: int, fate: str) -> Outcome:
    """What became of the publication of a version."""
    if fate == "refused":
        return Reject(Reason.TOO_LARGE)
    headers = VersionHeaders(TENANT, CALL, version, revision, "2026-11-02T09:00:00Z")
    record = Message(RECORDS.name, key, b"{}", headers.record())
    call = Message(CALLS.name, key, b"{}", headers.call())
    return Emit(((record,),)) if fate == "canary" else Emit(((record,), (call,)))


@examples(200)
@given(
    published=st.lists(st.tuples(keys, ranks, fates), min_size=4, max_size=25),
    asked=st.tuples(keys, ranks),
    most=st.integers(1, 3),
    sources=st.lists(st.sampled_from(["webhook", "webhook", "eventhub", "release"]), min_size=1, max_size=3),
)
def test_only_what_everybody_has_is_spared_and_only_to_live_requests(
    published: list[tuple[bytes, tuple[int, int], str]],
    asked: tuple[bytes, tuple[int, int]],
    most: int,
    sources: list[str],
) -> None:
    """Spared is a version iff a newer or equal one of its call was acked lately; repeats and order do not matter."""
    memory = RecentPublications(most)
    newest: dict[bytes, tuple[int, int]] = {}
    recent: list[bytes] = []
    for key, rank, fate in published:
        memory.acked([outcome(key, *rank, fate), Drop(Reason.TOO_OLD)])
        if fate == "acked":
            newest[key] = max(rank, newest.get(key, rank))
            recent = [*(each for each in recent if each != key), key]
            for forgotten in recent[:-most]:
                del newest[forgotten]
            recent = recent[-most:]
    key, rank = asked
    reported: list[Any] = [accept(request(source), MADE) for source in sources]
    assert all(isinstance(each, PendingFetch) for each in reported)
    live = set(sources) <= {"webhook", "eventhub"}
    assert memory.is_duplicate(key, reported, rank) is (live and newest.get(key, (0, 0)) >= rank)
    assert memory.holds(key, rank) is (newest.get(key) == rank)
